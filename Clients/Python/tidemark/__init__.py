"""A client for Tidemark, the versioned entity store. The README has a tour."""

from ._calls import make_operation_id
from ._connection import Limits
from ._retry import Retry
from .aio import AsyncClient
from .client import Client
from .errors import StatusCode, TidemarkError
from .model import (
  ABSENT, Batch, ChainFault, Conflict, Deleted, Entity, EntityState, Expected, FieldChange, Outcome, OutcomeCode, RetryAdvice,
  Role, ServerInfo, Space, Token, Verification, Violation,
)
from .values import Json

__all__ = [
  "ABSENT", "AsyncClient", "Batch", "ChainFault", "Client", "Conflict", "Deleted", "Entity", "EntityState", "Expected",
  "FieldChange", "Json", "Limits", "Outcome", "OutcomeCode", "Retry", "RetryAdvice", "Role", "ServerInfo", "Space", "StatusCode",
  "TidemarkError", "Token", "Verification", "Violation", "make_operation_id",
]

"""A client for Tidemark, the versioned entity store. The README has a tour."""

from ._calls import make_operation_id
from ._connection import Limits
from ._retry import Retry
from .aio import AsyncClient
from .client import Client
from .errors import StatusCode, TidemarkError
from .model import (
  ABSENT, Batch, BulkMode, ChainFault, Conflict, Deleted, Entity, EntityState, Expected, FieldChange, OnConflict, Outcome,
  OutcomeCode, RetryAdvice, Role, ServerInfo, Space, Token, Verification, Violation, Write, WriteKind,
)
from .values import Json

__all__ = [
  "ABSENT", "AsyncClient", "Batch", "BulkMode", "ChainFault", "Client", "Conflict", "Deleted", "Entity",
  "EntityState", "Expected", "FieldChange", "Json", "Limits", "OnConflict", "Outcome", "OutcomeCode", "Retry",
  "RetryAdvice", "Role", "ServerInfo", "Space", "StatusCode", "TidemarkError", "Token", "Verification", "Violation",
  "Write", "WriteKind", "make_operation_id",
]

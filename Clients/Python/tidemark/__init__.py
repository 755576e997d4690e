"""A client for Tidemark, the versioned entity store. The README has a tour."""

from ._calls import make_operation_id
from ._connection import Limits
from ._modify import RetryOnConflict
from ._retry import Retry
from .aio import AsyncClient
from .client import Client
from .errors import StatusCode, TidemarkError
from .model import (
  ABSENT, Batch, BulkMode, ChainFault, Conflict, Deleted, Entity, EntityState, Expected, FieldChange, OnConflict, Outcome,
  OutcomeCode, RetryAdvice, Role, ServerInfo, Space, StoreConnections, Token, Verification, Violation, Write,
  WriteKind,
)
from .schema import (
  Compatibility, ConflictPolicy, DeletePolicy, DeleteRule, FieldSchema, MergeKind, Reference, Schema, SchemaChange,
  SchemaOffender, SchemaResult, SchemaVersion, TypeSchema, ValueType,
)
from .values import Json

__all__ = [
  "ABSENT", "AsyncClient", "Batch", "BulkMode", "ChainFault", "Client", "Compatibility", "Conflict", "ConflictPolicy",
  "DeletePolicy", "DeleteRule", "Deleted", "Entity", "EntityState", "Expected", "FieldChange", "FieldSchema", "Json",
  "Limits", "MergeKind", "OnConflict", "Outcome", "OutcomeCode", "Reference", "Retry", "RetryAdvice", "RetryOnConflict",
  "Role", "Schema", "SchemaChange", "SchemaOffender", "SchemaResult", "SchemaVersion", "ServerInfo", "Space", "StatusCode",
  "StoreConnections", "TidemarkError", "Token", "TypeSchema", "ValueType", "Verification", "Violation", "Write", "WriteKind",
  "make_operation_id",
]

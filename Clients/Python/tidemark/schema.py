"""What the entities of a space may look like, as Proto/tidemark/v1/schema.proto says it."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum
from typing import Any, Literal, Mapping, Sequence, Union

from ._messages import message
from .model import ABSENT, Absent, Violation, _known, _moment
from .values import FieldValue, Scalar, from_value, to_scalar, to_value

_Schema = message("Schema")


class ValueType(IntEnum):
  """The kind of value that a field holds."""

  UNSPECIFIED = 0
  ANY = 1
  BOOL = 2
  INT = 3
  DOUBLE = 4
  STRING = 5
  BYTES = 6
  TIMESTAMP = 7
  JSON = 8
  BOOL_LIST = 12
  INT_LIST = 13
  DOUBLE_LIST = 14
  STRING_LIST = 15
  BYTES_LIST = 16
  TIMESTAMP_LIST = 17


class MergeKind(IntEnum):
  """How two changes of one field become one."""

  UNSPECIFIED = 0
  REGISTER = 1
  COUNTER = 2
  SET = 3
  MAX = 4
  MIN = 5
  TEXT = 6
  LAST_WRITER = 7


class DeleteRule(IntEnum):
  """What becomes of the entities that point to a deleted one."""

  UNSPECIFIED = 0
  RESTRICT = 1
  CASCADE = 2
  SET_NULL = 3


class ConflictPolicy(IntEnum):
  """What a client does with overlapping changes. ``UNSPECIFIED`` of a field is what its type says."""

  UNSPECIFIED = 0
  MANUAL = 1
  SERVER_WINS = 2
  CLIENT_WINS = 3


class DeletePolicy(IntEnum):
  """What a client does when one side deleted and the other changed."""

  UNSPECIFIED = 0
  MANUAL = 1
  DELETE_WINS = 2
  UPDATE_WINS = 3


class Compatibility(IntEnum):
  """What a change of a schema means for data and programs that exist."""

  UNSPECIFIED = 0
  COMPATIBLE = 1
  NEEDS_CHECK = 2
  BREAKING = 3


@dataclass(frozen=True)
class Reference:
  """What a field points to."""

  target: str
  on_delete: DeleteRule = DeleteRule.RESTRICT


@dataclass(frozen=True)
class FieldSchema:
  """What one field may hold. ``None`` for a bound, and ``ABSENT`` for the default, is no such rule."""

  type: ValueType
  is_required: bool = False
  summary: str = ""
  default: Union[FieldValue, Literal[Absent.ABSENT]] = ABSENT
  allowed_values: Sequence[Scalar] = ()
  minimum: Scalar = None
  maximum: Scalar = None
  length_min: int | None = None
  length_max: int | None = None
  merge: MergeKind = MergeKind.REGISTER
  reference: Reference | None = None
  conflict_policy: ConflictPolicy = ConflictPolicy.UNSPECIFIED

  def __post_init__(self) -> None:
    object.__setattr__(self, "allowed_values", tuple(self.allowed_values))


@dataclass(frozen=True)
class TypeSchema:
  """What the entities of one type may look like. Keys and indexes have a name and 1 to 8 fields; times are in seconds."""

  fields: Mapping[str, FieldSchema] = field(default_factory=dict)
  summary: str = ""
  allows_other_fields: bool = False
  unique_keys: Mapping[str, Sequence[str]] = field(default_factory=dict)
  indexes: Mapping[str, Sequence[str]] = field(default_factory=dict)
  conflict_policy: ConflictPolicy = ConflictPolicy.MANUAL
  delete_policy: DeletePolicy = DeletePolicy.MANUAL
  is_owner_only: bool = False
  history_seconds: int | None = None
  tombstone_seconds: int | None = None

  def __post_init__(self) -> None:
    for name in ("unique_keys", "indexes"):
      object.__setattr__(self, name, {key: tuple(fields) for key, fields in getattr(self, name).items()})


@dataclass(frozen=True)
class Schema:
  """The types of a space by name. It is always sent and kept whole."""

  types: Mapping[str, TypeSchema] = field(default_factory=dict)

  @classmethod
  def from_bytes(cls, content: bytes) -> "Schema":
    """Reads the message ``tidemark.v1.Schema``, as ``tidemark schema show --format protobuf`` prints it.

    Raises ``ValueError`` for anything else.
    """
    try:
      return schema(_Schema.FromString(content))
    except Exception as error:  # DecodeError, whose class differs between runtimes
      raise ValueError(f"This is no schema: {error}") from error

  def to_bytes(self) -> bytes:
    """The message ``tidemark.v1.Schema``. Raises ``TypeError`` or ``ValueError`` for values that a field cannot hold."""
    return self.message().SerializeToString(deterministic=True)

  def message(self) -> Any:
    """The same before it is bytes."""
    made = _Schema()
    for name in sorted(self.types):
      _put_type(made.types.add(name=name), self.types[name])
    return made


@dataclass(frozen=True)
class SchemaVersion:
  """A schema as it was applied. ``version`` counts the schemas of a space, from 1."""

  version: int
  schema: Schema
  applied_at: datetime | None
  applied_by: str
  hash: bytes


@dataclass(frozen=True)
class SchemaChange:
  """One difference between two schemas; ``kind`` is a stable word, and ``field`` is empty when it is about the type."""

  type: str
  field: str
  kind: str
  compatibility: Compatibility
  message: str


@dataclass(frozen=True)
class SchemaOffender:
  """An entity that breaks a new rule."""

  type: str
  id: str
  version: int
  violations: list[Violation]


@dataclass(frozen=True)
class SchemaResult:
  """What became of a schema. ``version`` is the one in force; at most 100 ``offenders`` are named."""

  is_applied: bool
  version: int
  changes: list[SchemaChange]
  offenders: list[SchemaOffender]
  checked_entities: int
  offending_entities: int
  problems: list[Violation]
  message: str


def _put_type(target: Any, kind: TypeSchema) -> None:
  target.summary, target.allows_other_fields, target.is_owner_only = kind.summary, kind.allows_other_fields, kind.is_owner_only
  target.conflict_policy, target.delete_policy = int(kind.conflict_policy), int(kind.delete_policy)
  for name in sorted(kind.fields):
    _put_field(target.fields.add(name=name), kind.fields[name])
  for keys, added in ((kind.unique_keys, target.unique_keys), (kind.indexes, target.indexes)):
    for name, fields in keys.items():
      added.add(name=name, fields=fields)
  if kind.history_seconds is not None:
    target.retention.history_seconds = kind.history_seconds
  if kind.tombstone_seconds is not None:
    target.retention.tombstone_seconds = kind.tombstone_seconds


def _put_field(target: Any, rule: FieldSchema) -> None:
  target.summary, target.type, target.is_required = rule.summary, int(rule.type), rule.is_required
  target.merge, target.conflict_policy = int(rule.merge), int(rule.conflict_policy)
  if rule.default is not ABSENT:
    target.default_value.CopyFrom(to_value(rule.default))
  target.allowed_values.extend(to_scalar(value) for value in rule.allowed_values)
  for bound, value in (("minimum", rule.minimum), ("maximum", rule.maximum)):
    if value is not None:
      getattr(target, bound).CopyFrom(to_scalar(value))
  for bound, length in (("length_min", rule.length_min), ("length_max", rule.length_max)):
    if length is not None:
      setattr(target, bound, length)
  if rule.reference is not None:
    target.reference.target, target.reference.on_delete = rule.reference.target, int(rule.reference.on_delete)


def _field(m: Any) -> FieldSchema:
  return FieldSchema(
    type=_known(ValueType, m.type), is_required=m.is_required, summary=m.summary,
    default=from_value(m.default_value) if m.HasField("default_value") else ABSENT,
    allowed_values=[from_value(value) for value in m.allowed_values],
    minimum=from_value(m.minimum) if m.HasField("minimum") else None,
    maximum=from_value(m.maximum) if m.HasField("maximum") else None,
    length_min=m.length_min if m.HasField("length_min") else None,
    length_max=m.length_max if m.HasField("length_max") else None, merge=_known(MergeKind, m.merge),
    reference=Reference(m.reference.target, _known(DeleteRule, m.reference.on_delete)) if m.HasField("reference") else None,
    conflict_policy=_known(ConflictPolicy, m.conflict_policy))


def _type(m: Any) -> TypeSchema:
  return TypeSchema(
    fields={each.name: _field(each) for each in m.fields}, summary=m.summary, allows_other_fields=m.allows_other_fields,
    unique_keys={key.name: list(key.fields) for key in m.unique_keys},
    indexes={key.name: list(key.fields) for key in m.indexes}, conflict_policy=_known(ConflictPolicy, m.conflict_policy),
    delete_policy=_known(DeletePolicy, m.delete_policy), is_owner_only=m.is_owner_only,
    history_seconds=m.retention.history_seconds if m.retention.HasField("history_seconds") else None,
    tombstone_seconds=m.retention.tombstone_seconds if m.retention.HasField("tombstone_seconds") else None)


def schema(m: Any) -> Schema:
  return Schema({each.name: _type(each) for each in m.types})


def schema_version(m: Any) -> SchemaVersion | None:
  if not m.HasField("schema"):
    return None
  known = m.schema
  return SchemaVersion(known.version, schema(known.schema), _moment(known.applied_at_us), known.applied_by, known.hash)


def schema_result(m: Any) -> SchemaResult:
  return SchemaResult(
    is_applied=m.applied, version=m.version,
    changes=[SchemaChange(c.type, c.field, c.kind, _known(Compatibility, c.compatibility), c.message) for c in m.changes],
    offenders=[SchemaOffender(o.key.type, o.key.id, o.version, _violations(o.violations)) for o in m.offenders],
    checked_entities=m.checked_entities, offending_entities=m.offending_entities, problems=_violations(m.problems),
    message=m.message)


def _violations(broken: Any) -> list[Violation]:
  return [Violation(v.field, v.rule, v.message) for v in broken]

"""What calls return: plain values, never changed after they were made."""

import enum
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum
from typing import Any, Literal, Mapping, Sequence, Union

from .values import Fields, FieldValue, from_fields, from_microseconds, from_value


class EntityState(IntEnum):
  UNSPECIFIED = 0
  ALIVE = 1
  DELETED = 2
  PURGED = 3


class OutcomeCode(IntEnum):
  """What became of one write; Proto/tidemark/v1/outcome.proto explains each."""

  UNSPECIFIED = 0
  APPLIED = 1
  UNCHANGED = 2
  MERGED = 3
  CONFLICT = 4
  NOT_FOUND = 5
  ALREADY_EXISTS = 6
  UNIQUE_VIOLATION = 7
  REFERENCE_VIOLATION = 8
  INVALID = 9
  FORBIDDEN = 10
  VETOED = 11
  PURGED = 12
  EPOCH_CHANGED = 13
  RECEIPT_EXPIRED = 14
  ABORTED = 15


class RetryAdvice(IntEnum):
  """``SAME``: send it again with the same operation id. ``REFRESH``: read, decide, send a new write. ``NEVER``: no use."""

  UNSPECIFIED = 0
  SAME = 1
  REFRESH = 2
  NEVER = 3


class Role(IntEnum):
  READER = 1
  WRITER = 2
  ADMIN = 3


class Deleted(IntEnum):
  """Whether a list holds deleted entities."""

  EXCLUDE = 1
  INCLUDE = 2
  ONLY = 3


class Absent(enum.Enum):
  """The value of a field that is not there, which is not the same as a field that holds ``None``."""

  ABSENT = "absent"


ABSENT = Absent.ABSENT


@dataclass(frozen=True)
class Expected:
  """The state a write is made against. ``revision`` 0 and an empty ``epoch`` mean unknown."""

  version: int
  revision: int = 0
  epoch: bytes = b""


@dataclass(frozen=True)
class Entity:
  """One stored object. ``deleted_at`` is ``None`` while it is alive. ``epoch`` is that of the space it was read from."""

  type: str
  id: str
  version: int
  revision: int
  state: EntityState
  created_at: datetime | None
  created_by: str
  updated_at: datetime | None
  updated_by: str
  deleted_at: datetime | None
  deleted_by: str
  fields: dict[str, FieldValue]
  epoch: bytes = b""

  @property
  def expected(self) -> Expected:
    """The state to name in a write that was made from this entity."""
    return Expected(self.version, self.revision, self.epoch)


class WriteKind(IntEnum):
  """What a write of a bulk asks for."""

  CREATE = 1
  GET_OR_CREATE = 2
  UPDATE = 3
  REPLACE = 4
  DELETE = 5
  RESTORE = 6


class OnConflict(IntEnum):
  """What becomes of a write whose expected version is no longer current; Proto/tidemark/v1/bulk.proto explains each."""

  FAIL = 1
  MERGE = 2
  OVERWRITE = 3


class BulkMode(IntEnum):
  """``PARTIAL``: each write, or each group, succeeds or fails on its own. ``ATOMIC``: all or none; must fit one request."""

  PARTIAL = 1
  ATOMIC = 2


@dataclass(frozen=True)
class Write:
  """One write of a bulk.

  ``fields`` are those of a create, get-or-create or replace; ``set``, ``unset`` and ``increment`` those of an update. Neighbours
  with one ``group`` succeed or fail together. ``after_item`` and the values of ``references`` are places of earlier writes of the
  bulk, from 0: the write is made against what that one left, or the field gets the id of its entity. An operation id is made when
  there is none.
  """

  kind: WriteKind
  type: str
  id: str = ""
  fields: Fields = field(default_factory=dict)
  set: Fields = field(default_factory=dict)
  unset: Sequence[str] = ()
  increment: Mapping[str, Union[int, float]] = field(default_factory=dict)
  expected: Union[Expected, Entity, "Outcome", int, None] = None
  on_conflict: OnConflict = OnConflict.FAIL
  group: str = ""
  after_item: int | None = None
  references: Mapping[str, int] = field(default_factory=dict)
  operation_id: str = ""
  edited_at: datetime | None = None

  @property
  def places(self) -> list[int]:
    """The places of the writes that this one refers to."""
    return list(self.references.values()) + ([] if self.after_item is None else [self.after_item])


@dataclass(frozen=True)
class FieldChange:
  """What happened to one field since the expected version. ``ABSENT`` on the side where it is not there."""

  name: str
  before: Union[FieldValue, Literal[Absent.ABSENT]]
  after: Union[FieldValue, Literal[Absent.ABSENT]]
  version: int
  changed_by: str
  changed_at: datetime | None


@dataclass(frozen=True)
class Conflict:
  """Everything needed to repair a stale write. ``is_truncated``: parts were left out to keep the answer small."""

  expected: Expected
  actual: Expected
  current: Entity | None
  base: Entity | None
  changes: list[FieldChange]
  overlapping_fields: list[str]
  is_truncated: bool


@dataclass(frozen=True)
class Violation:
  """One broken rule; ``field`` is empty when it is about the whole write."""

  field: str
  rule: str
  message: str


@dataclass(frozen=True)
class Outcome:
  """What became of one write.

  ``version`` and ``revision`` are those after the write or, when it was not applied, the current ones; 0 when there are none.
  ``is_replay``: an earlier attempt with the same operation id was judged, and this is its receipt.
  """

  code: OutcomeCode
  type: str
  id: str
  operation_id: str
  version: int
  revision: int
  epoch: bytes
  applied_at: datetime | None
  entity: Entity | None
  conflict: Conflict | None
  violations: list[Violation]
  message: str
  retry: RetryAdvice
  is_replay: bool
  #: Of an aborted write of a bulk: the place of the write whose failure it depends on.
  cause: int | None = None
  #: Of a unique violation, type and id of the holder; of a reference violation, of what is missing or points here.
  related: list[tuple[str, str]] = field(default_factory=list)

  @property
  def is_ok(self) -> bool:
    """Whether the entity is as the write wanted it: applied, unchanged or merged."""
    return self.code in (OutcomeCode.APPLIED, OutcomeCode.UNCHANGED, OutcomeCode.MERGED)

  @property
  def expected(self) -> Expected:
    """The state to name in the next write."""
    return Expected(self.version, self.revision, self.epoch)


@dataclass(frozen=True)
class Batch:
  """The answer to a batch get: one entity or ``None`` a key, in order, all read at one revision.

  ``truncated`` are the keys that did exist but for which the answer had no room: ask again for those.
  """

  entities: list[Entity | None]
  truncated: list[tuple[str, str]]
  revision: int
  epoch: bytes


@dataclass(frozen=True)
class Space:
  name: str
  revision: int
  epoch: bytes
  created_at: datetime | None
  alive_entities: int


@dataclass(frozen=True)
class ChainFault:
  """One change that does not verify; ``fault`` is a stable word."""

  revision: int
  type: str
  id: str
  fault: str


@dataclass(frozen=True)
class Verification:
  """How far the check of a space has come, and what it found so far in this step."""

  changes_checked: int
  changes_total: int
  is_done: bool
  faults: list[ChainFault]


@dataclass(frozen=True)
class Token:
  """A bearer token without its secret. ``grants`` maps a space, or ``*`` for all, to a role."""

  id: str
  principal: str
  grants: dict[str, Role]
  created_at: datetime | None


@dataclass(frozen=True)
class StoreConnections:
  """The connections of a server to its database."""

  size_max: int
  overflow_max: int
  idle: int
  in_use: int
  waiting: int
  leases: int
  waits: int
  waited_seconds: float
  timeouts: int
  opened: int
  open_failures: int
  closed_recycled: int
  closed_broken: int
  closed_overflow: int
  checks_failed: int


@dataclass(frozen=True)
class ServerInfo:
  version: str
  server_time: datetime | None
  uptime_seconds: float
  principal: str
  is_development: bool
  is_admin: bool
  commits: int
  changes_committed: int
  connections: StoreConnections | None
  node: str


def _moment(microseconds: int) -> datetime | None:
  return from_microseconds(microseconds) if microseconds else None


def _known(kind: Any, number: int) -> Any:
  """The member with this number; 0, which every enum used here has, for one of a later version."""
  return kind(number) if number in kind._value2member_map_ else kind(0)


def entity(m: Any, epoch: bytes) -> Entity:
  return Entity(
    m.type, m.id, m.version, m.revision, _known(EntityState, m.state), _moment(m.created_at_us), m.created_by,
    _moment(m.updated_at_us), m.updated_by, _moment(m.deleted_at_us), m.deleted_by, from_fields(m.fields), epoch)


def _entity_of(m: Any, name: str, epoch: bytes) -> Entity | None:
  return entity(getattr(m, name), epoch) if m.HasField(name) else None


def _expected(m: Any) -> Expected:
  return Expected(m.version, m.revision, m.epoch)


def _change(m: Any) -> FieldChange:
  before = from_value(m.before) if m.HasField("before") else ABSENT
  after = from_value(m.after) if m.HasField("after") else ABSENT
  return FieldChange(m.name, before, after, m.version, m.changed_by, _moment(m.changed_at_us))


def _conflict(m: Any, epoch: bytes) -> Conflict:
  return Conflict(
    _expected(m.expected), _expected(m.actual), _entity_of(m, "current_entity", epoch), _entity_of(m, "base_entity", epoch),
    [_change(change) for change in m.changes], list(m.overlapping_fields), m.truncated)


def outcome(m: Any) -> Outcome:
  return Outcome(
    code=_known(OutcomeCode, m.code), type=m.type, id=m.id, operation_id=m.operation_id, version=m.version, revision=m.revision,
    epoch=m.epoch, applied_at=_moment(m.applied_at_us), entity=_entity_of(m, "entity", m.epoch),
    conflict=_conflict(m.conflict, m.epoch) if m.HasField("conflict") else None,
    violations=[Violation(v.field, v.rule, v.message) for v in m.violations], message=m.message,
    retry=_known(RetryAdvice, m.retry), is_replay=m.is_replay, cause=m.cause.item if m.HasField("cause") else None,
    related=[(key.type, key.id) for key in m.related])


def batch(m: Any) -> Batch:
  return Batch(
    [_entity_of(result, "entity", m.epoch) for result in m.results],
    [(result.key.type, result.key.id) for result in m.results if result.is_truncated], m.revision, m.epoch)


def space(m: Any) -> Space:
  return Space(m.name, m.revision, m.epoch, _moment(m.created_at_us), m.alive_entities)


def verification(m: Any) -> Verification:
  return Verification(
    m.changes_checked, m.changes_total, m.is_done, [ChainFault(f.revision, f.type, f.id, f.fault) for f in m.faults])


def token(m: Any) -> Token:
  grants = {grant.space: Role(grant.role) for grant in m.grants if grant.role in Role._value2member_map_}
  return Token(m.id, m.principal, grants, _moment(m.created_at_us))


def server_info(m: Any) -> ServerInfo:
  return ServerInfo(
    m.version, _moment(m.server_time_us), m.uptime_us / 1e6, m.principal, m.is_development, m.is_admin, m.commits,
    m.changes_committed, _store_connections(m.connections) if m.HasField("connections") else None, m.node)


def _store_connections(m: Any) -> StoreConnections:
  return StoreConnections(
    m.size_max, m.overflow_max, m.idle, m.in_use, m.waiting, m.leases, m.waits, m.waited_us / 1e6, m.timeouts, m.opened,
    m.open_failures, m.closed_recycled, m.closed_broken, m.closed_overflow, m.checks_failed)

"""How a bulk of any length becomes requests: a value that takes writes in and gives parts out. No socket, no clock."""

from dataclasses import dataclass, field, replace
from typing import Any, Iterable, Sequence

from . import _calls as calls
from . import model
from ._calls import Call
from ._connection import Limits
from ._messages import message
from .errors import StatusCode, TidemarkError
from .model import BulkMode, OutcomeCode, RetryAdvice, Write

_Request = message("BulkWriteRequest")
_Item = message("WriteItem")
# The tag and the length before an item, and what the places of items take at most.
_ITEM_BYTES = 16
_HEAD_BYTES = 256


@dataclass
class Part:
  """The writes of one request, with their places in the bulk."""

  places: list[int]
  writes: list[Write]
  #: Outcomes that need no server: what depends on a write that failed is aborted.
  aborted: dict[int, model.Outcome] = field(default_factory=dict)


class Bulk:
  """Splits writes into requests, in their order. A group is never cut. A write that refers to one that was sent in an earlier
  request gets its id, or is made against what it left."""

  def __init__(
    self, space: str, limits: Limits, mode: BulkMode, validates_only: bool, returns_entities: bool, known_revision: int
  ) -> None:
    self._head = dict(
      space=space, mode=int(mode), validate_only=validates_only, return_entities=returns_entities, known_revision=known_revision)
    self._is_atomic = mode == BulkMode.ATOMIC
    self._items_max = min(1_000, limits.bulk_items_max)
    self._bytes_max = min(4_194_304, limits.message_bytes_max) - _HEAD_BYTES
    self._pending: list[tuple[int, Write, int]] = []
    self._bytes = 0
    self._count = 0
    self._operations: set[str] = set()
    self._outcomes: dict[int, model.Outcome] = {}

  def add(self, write: Write) -> list[Part]:
    """Takes the next write. Returns the parts that are to be sent now.

    Raises ``ValueError`` for a write that no request can hold, that refers to one that is not before it, or whose operation id
    was used before.
    """
    place = self._count
    for other in write.places:
      if not 0 <= other < place:
        raise ValueError(f"Write {place} refers to write {other}, which is not before it.")
    if not write.operation_id:
      write = replace(write, operation_id=calls.make_operation_id())
    if write.operation_id in self._operations:
      raise ValueError(f"Write {place} has the operation id of an earlier one.")
    size = _item(write, lambda other: other).ByteSize() + _ITEM_BYTES
    if size > self._bytes_max:
      raise ValueError(f"Write {place} has {size} bytes; a request has at most {self._bytes_max}.")
    self._operations.add(write.operation_id)
    self._count += 1
    parts = []
    while self._pending and (len(self._pending) == self._items_max or self._bytes + size > self._bytes_max):
      parts.append(self._cut(self._end_of_whole(write)))
    self._pending.append((place, write, size))
    self._bytes += size
    return parts

  def end(self) -> list[Part]:
    """The part that is left."""
    return [self._cut(len(self._pending))] if self._pending else []

  def call(self, part: Part) -> Call[list[model.Outcome]] | None:
    """What to send for a part, once the outcomes of the parts before it are known; ``None`` when nothing of it is to be sent."""
    self._settle(part)
    index = {place: number for number, place in enumerate(place for place in part.places if place not in part.aborted)}
    items = [
      _item(self._resolved(write), lambda other: index[other])
      for place, write in zip(part.places, part.writes) if place in index
    ]
    return calls.bulk_write(dict(self._head, items=items)) if items else None

  def take(self, part: Part, answers: Sequence[model.Outcome]) -> list[model.Outcome]:
    """The outcomes of a part, in order, from those that the server sent.

    Raises ``TidemarkError`` when these are of other writes.
    """
    sent = [place for place in part.places if place not in part.aborted]
    operations = {place: write.operation_id for place, write in zip(part.places, part.writes)}
    if [answer.operation_id for answer in answers] != [operations[place] for place in sent]:
      raise TidemarkError(StatusCode.INTERNAL, "The server's outcomes are not those of the writes that were sent.")
    for place, answer in zip(sent, answers):
      cause = answer.cause
      self._outcomes[place] = replace(answer, cause=sent[cause] if cause is not None and cause < len(sent) else None)
    self._outcomes.update(part.aborted)
    return [self._outcomes[place] for place in part.places]

  def operation_ids(self, part: Part) -> tuple[str, ...]:
    """The operation ids of a part that was sent."""
    return tuple(write.operation_id for place, write in zip(part.places, part.writes) if place not in part.aborted)

  # Cutting

  def _end_of_whole(self, following: Write) -> int:
    """How many pending writes can go without cutting a group. Raises ``ValueError`` when a group fills a request."""
    if self._is_atomic:
      raise ValueError("The writes of an atomic bulk are larger than a request.")
    end = len(self._pending)
    while end and following.group and self._pending[end - 1][1].group == following.group:
      end -= 1
    if not end:
      raise ValueError(f"The group '{following.group}' is larger than a request.")
    return end

  def _cut(self, end: int) -> Part:
    taken, self._pending = self._pending[:end], self._pending[end:]
    self._bytes -= sum(size for _, _, size in taken)
    return Part([place for place, _, _ in taken], [write for _, write, _ in taken])

  # Writes that refer to others

  def _settle(self, part: Part) -> None:
    """Finds the writes that cannot be done because what they refer to failed, or is not done for the same reason."""
    aborted = part.aborted
    is_settled = False
    while not is_settled:
      is_settled = True
      for number, (place, write) in enumerate(zip(part.places, part.writes)):
        if place in aborted:
          continue
        cause = next((other for other in write.places if other in aborted or self._has_failed(other)), None)
        if cause is None and write.group:
          cause = self._failed_neighbour(part, number)
        if cause is not None:
          aborted[place] = self._abort(write, cause)
          is_settled = False

  def _has_failed(self, place: int) -> bool:
    return place in self._outcomes and not self._outcomes[place].is_ok

  def _failed_neighbour(self, part: Part, number: int) -> int | None:
    """A write of the same group that is aborted already."""
    group = part.writes[number].group
    for step in (-1, 1):
      other = number + step
      while 0 <= other < len(part.writes) and part.writes[other].group == group:
        if part.places[other] in part.aborted:
          return part.places[other]
        other += step
    return None

  def _abort(self, write: Write, cause: int) -> model.Outcome:
    return model.Outcome(
      code=OutcomeCode.ABORTED, type=write.type, id=write.id, operation_id=write.operation_id, version=0, revision=0, epoch=b"",
      applied_at=None, entity=None, conflict=None, violations=[], message=f"Not sent, because write {cause} of the bulk failed.",
      retry=RetryAdvice.SAME, is_replay=False, cause=cause)

  def _resolved(self, write: Write) -> Write:
    """The write with the outcomes of what was sent before in place of references to it."""
    fields, assigned = dict(write.references), dict(write.set if write.kind == model.WriteKind.UPDATE else write.fields)
    for name, other in write.references.items():
      if other in self._outcomes:
        assigned[name] = self._outcomes[other].id
        del fields[name]
    if write.references:
      key = "set" if write.kind == model.WriteKind.UPDATE else "fields"
      write = replace(write, references=fields, **{key: assigned})
    if write.after_item is not None and write.after_item in self._outcomes:
      before = self._outcomes[write.after_item]
      write = replace(write, after_item=None, expected=before.expected, id=before.id)
    return write


def _item(write: Write, place: Any) -> Any:
  """The protocol's item; ``place`` gives the place in the request of another write."""
  return _Item(**calls.write_item(write, place))


def undo_parts(operation_ids: Iterable[str]) -> list[list[dict[str, str]]]:
  """The writes to take back in requests, the last first, each with an operation id for taking it back."""
  items = [{"operation_id": each, "undo_operation_id": calls.make_operation_id()} for each in operation_ids]
  return [items[max(0, end - 1_000):end] for end in range(len(items), 0, -1_000)]

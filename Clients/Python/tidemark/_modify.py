"""Read, change, write: how the change of an entity's fields becomes a write, and when it is tried again."""

import random
from dataclasses import dataclass
from typing import Any

from . import _calls as calls
from . import model
from ._calls import Call
from .values import Fields, FieldValue, to_value

_OPERATIONS_MAX = 512


@dataclass(frozen=True)
class RetryOnConflict:
  """How often ``modify`` reads again and repeats the change when somebody else was faster: ``attempts`` in all.

  The first pause is at most ``pause_seconds``, each further one ``factor`` times as long, none longer than a minute; ``jitter``
  is the share of it that is left to chance.

  Asked for, never by default: a person's edit is not repeated against something the person has not seen.
  """

  attempts: int = 3
  pause_seconds: float = 0.1
  factor: float = 2.0
  jitter: float = 1.0

  def pause(self, conflicts: int) -> float | None:
    """Seconds to wait after so many conflicts, from 1; ``None`` when the conflict is the answer."""
    if conflicts >= self.attempts:
      return None
    longest = min(self.pause_seconds * max(self.factor, 1.0) ** min(conflicts - 1, 64), 60.0)
    share = min(max(self.jitter, 0.0), 1.0)
    return longest * (1 - share + share * random.random())


class Modification:
  """One ``modify``: what it reads, what it writes, and for how long to wait after a conflict. No socket, no clock."""

  def __init__(self, space: str, type: str, id: str, retry: RetryOnConflict | None, returns_entity: bool) -> None:
    self._space, self._type, self._id = space, type, id
    self._retry = retry or RetryOnConflict(attempts=1)
    self._returns_entity = returns_entity
    self.conflicts = 0

  def read(self) -> Call[model.Entity]:
    return calls.get(self._space, self._type, self._id, False)

  def write(self, seen: model.Entity, fields: Fields) -> Call[model.Outcome] | None:
    """The write that makes these fields of those that were seen; ``None`` when nothing differs."""
    changed, removed = differences(seen.fields, fields)
    if not changed and not removed:
      return None
    options = calls.make_options(None, None, 0, self._returns_entity)
    if len(changed) + len(removed) > _OPERATIONS_MAX:
      return calls.replace(self._space, self._type, self._id, fields, seen, options)
    return calls.update(self._space, self._type, self._id, seen, changed, removed, {}, options)

  def pause(self, outcome: model.Outcome) -> float | None:
    """Seconds after which to read again; ``None`` when this outcome is the answer."""
    if outcome.code != model.OutcomeCode.CONFLICT:
      return None
    self.conflicts += 1
    return self._retry.pause(self.conflicts)


def differences(old: Fields, new: Fields) -> tuple[dict[str, FieldValue], list[str]]:
  """What must be set, and what removed. Setting a field removes what is above and below it, so that is not removed in words."""
  changed = {name: value for name, value in new.items() if name not in old or not _is_same(old[name], value)}
  removed = [name for name in old if name not in new and not any(_overlap(name, other) for other in changed)]
  return changed, removed


def _is_same(a: Any, b: Any) -> bool:
  """Whether two values are one for the server, for which ``1``, ``1.0`` and ``True`` are three."""
  return a is b or to_value(a).SerializeToString(deterministic=True) == to_value(b).SerializeToString(deterministic=True)


def _overlap(a: str, b: str) -> bool:
  return a.startswith(b + ".") or b.startswith(a + ".")

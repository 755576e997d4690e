"""Python values and the ``Value`` of the protocol.

==================  =====================  ==================================
Python              Value                  note
==================  =====================  ==================================
None                null
bool                bool
int                 int                    64 bits; larger is a ValueError
float               double
str                 string
bytes, bytearray    bytes                  comes back as bytes
datetime            timestamp              must have a time zone; comes back in UTC
list, tuple         list, of the above     comes back as list
dict, nested list   json                   comes back as ``Json``
Json                json                   its text is kept byte for byte
==================  =====================  ==================================

An object whose parts should merge one by one is no ``dict`` but several fields with dots in their names:
``{"address.city": "Kiel"}``.
"""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any, Iterable, Mapping, Union

from ._messages import message

Scalar = Union[None, bool, int, float, str, bytes, datetime]
FieldValue = Union[Scalar, list, dict, "Json"]
Fields = Mapping[str, FieldValue]

_Value = message("Value")
_Scalar = message("Scalar")
_Field = message("Field")
_START = datetime(1970, 1, 1, tzinfo=timezone.utc)
_MICROSECOND = timedelta(microseconds=1)
_NESTED = (list, tuple, dict)


@dataclass(frozen=True)
class Json:
  """One JSON document, exactly as it was written."""

  text: str

  @classmethod
  def of(cls, value: Any) -> "Json":
    """The document that holds this value. Raises ``ValueError`` for NaN and infinities, which JSON does not have."""
    return cls(json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")))

  @property
  def value(self) -> Any:
    """What the document holds."""
    return json.loads(self.text)


def to_microseconds(moment: datetime) -> int:
  """Microseconds since 1970-01-01T00:00:00Z. Raises ``ValueError`` for a moment without a time zone."""
  if moment.utcoffset() is None:
    raise ValueError("A datetime needs a time zone, for example datetime.now(timezone.utc).")
  return (moment - _START) // _MICROSECOND


def from_microseconds(microseconds: int) -> datetime:
  """The moment in UTC. Raises ``OverflowError`` outside of the years 1 to 9999."""
  return _START + timedelta(microseconds=microseconds)


def _put(target: Any, value: Any) -> None:
  """Puts a scalar into a ``Value`` or a ``Scalar``. ``bool`` goes before ``int`` because it is one."""
  if value is None:
    target.null_value = True
  elif isinstance(value, bool):
    target.bool_value = value
  elif isinstance(value, int):
    target.int_value = value
  elif isinstance(value, float):
    target.double_value = value
  elif isinstance(value, str):
    target.string_value = value
  elif isinstance(value, (bytes, bytearray, memoryview)):
    target.bytes_value = bytes(value)
  elif isinstance(value, datetime):
    target.timestamp_us_value = to_microseconds(value)
  else:
    raise TypeError(f"A field cannot hold a {type(value).__name__}.")


def to_value(value: FieldValue) -> Any:
  """The protocol's ``Value``. Raises ``TypeError`` for a kind that has none, ``ValueError`` when it does not fit."""
  result = _Value()
  if isinstance(value, Json):
    result.json_value = value.text
  elif isinstance(value, dict) or (isinstance(value, (list, tuple)) and any(isinstance(part, _NESTED) for part in value)):
    result.json_value = Json.of(value).text
  elif isinstance(value, (list, tuple)):
    result.list_value.SetInParent()
    for part in value:
      _put(result.list_value.values.add(), part)
  else:
    _put(result, value)
  return result


def to_scalar(value: Scalar) -> Any:
  """The protocol's ``Scalar``: a value that a list can hold. Raises ``TypeError`` for any other."""
  result = _Scalar()
  _put(result, value)
  return result


def from_value(value: Any) -> FieldValue:
  """The Python value of a ``Value`` or a ``Scalar``. Raises ``ValueError`` for one that holds nothing this version knows."""
  kind = value.WhichOneof("kind")
  if kind is None:
    raise ValueError("The value has a kind that this version of the client does not know.")
  if kind == "null_value":
    return None
  if kind == "timestamp_us_value":
    return from_microseconds(value.timestamp_us_value)
  if kind == "list_value":
    return [from_value(part) for part in value.list_value.values]
  if kind == "json_value":
    return Json(value.json_value)
  return getattr(value, kind)


def to_fields(fields: Fields) -> list[Any]:
  """The protocol's fields."""
  return [_Field(name=name, value=to_value(value)) for name, value in fields.items()]


def from_fields(fields: Iterable[Any]) -> dict[str, FieldValue]:
  """The Python values by name, in the order of the protocol."""
  return {field.name: from_value(field.value) for field in fields}

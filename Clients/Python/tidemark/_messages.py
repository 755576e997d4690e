"""The protobuf messages and the methods of the service, made from ``descriptors.binpb`` when the package is imported.

There is no generated code, so any protobuf runtime from version 4 on works. The messages live in a descriptor pool of their own
and never clash with another package that brings ``google.rpc`` along.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_PACKAGE = "tidemark.v1"
_TYPE_URL = "type.googleapis.com/"

_files = descriptor_pb2.FileDescriptorSet.FromString((Path(__file__).parent / "descriptors.binpb").read_bytes())
_pool = descriptor_pool.DescriptorPool()
for _file in _files.file:
  _pool.AddSerializedFile(_file.SerializeToString())


def _message_class(descriptor: Any) -> Any:
  if hasattr(message_factory, "GetMessageClass"):
    return message_factory.GetMessageClass(descriptor)
  return message_factory.MessageFactory(_pool).GetPrototype(descriptor)  # protobuf before 4.22


def message(name: str) -> Any:
  """The class of the message with this full name, or with this name in ``tidemark.v1``."""
  return _message_class(_pool.FindMessageTypeByName(name if "." in name else f"{_PACKAGE}.{name}"))


def unpack(detail: Any) -> Any:
  """The message inside a ``google.protobuf.Any``, or the ``Any`` itself when its type is unknown or it cannot be read."""
  try:
    return message(detail.type_url.removeprefix(_TYPE_URL)).FromString(detail.value)
  except Exception:  # KeyError for the type; DecodeError, whose class differs between runtimes, for the bytes
    return detail


@dataclass(frozen=True)
class Method:
  """One call that the server offers."""

  number: int
  path: str
  request: Any
  response: Any
  is_stream: bool


def _methods() -> dict[str, Method]:
  options_class = message("google.protobuf.MethodOptions")
  number = _pool.FindExtensionByName(f"{_PACKAGE}.method_number")
  found = {}
  for file in _files.file:
    for service in file.service:
      for rpc in service.method:
        options = options_class.FromString(rpc.options.SerializeToString())
        found[rpc.name] = Method(
          number=options.Extensions[number],
          path=f"/{file.package}.{service.name}/{rpc.name}",
          request=message(rpc.input_type.lstrip(".")),
          response=message(rpc.output_type.lstrip(".")),
          is_stream=rpc.server_streaming,
        )
  return found


#: Every method by its name, which is unique over all services.
METHODS = _methods()

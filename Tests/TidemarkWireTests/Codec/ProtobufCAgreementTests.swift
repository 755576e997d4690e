import CTidemarkProtobufC
import CTidemarkWire
import Testing
import TidemarkCore

@testable import TidemarkWire

/// What this module and the core write by hand is what protobuf-c writes.
@Suite struct ProtobufCAgreementTests {
  let arena = MessageArena()

  private func repacked<M>(_ bytes: [UInt8], as kind: MessageKind<M>) throws -> [UInt8] {
    arena.reset()
    return try withBytes(bytes) { (raw) throws(WireError) in
      let message = try arena.unpack(raw, as: kind)
      let packed = PackedMessage(MessagePointer(UnsafeMutablePointer(mutating: message)))
      return [UInt8](unsafeUninitializedCapacity: packed.size) { target, count in
        count = packed.pack(into: UnsafeMutableRawBufferPointer(target))
      }
    }
  }

  @Test func canonicalFieldsAreWhatProtobufCWrites() throws {
    var random = RandomValues(seed: freshSeed("canonicalFieldsAreWhatProtobufCWrites"))
    for _ in 0..<2_000 {
      let fields = random.fields()
      let canonical = CanonicalFields(fields)
      #expect(try repacked(canonical.bytes, as: .entity) == canonical.bytes)
      let decoded = try withBytes(canonical.bytes) { (raw) throws(WireError) in
        try arena.decode(raw, as: .entity) { (m) throws(WireError) in try Fields(m.n_fields, m.fields) }
      }
      #expect(decoded == fields)
    }
  }

  @Test func anEntityWithAttachedFieldsIsWhatProtobufCWrites() throws {
    var random = RandomValues(seed: freshSeed("anEntityWithAttachedFieldsIsWhatProtobufCWrites"))
    for _ in 0..<500 {
      let response = GetResponse(entity: random.entity(), epoch: random.epoch())
      let bytes = try response.encode(using: arena)
      #expect(try repacked(bytes, as: .getResponse) == bytes)
    }
  }

  @Test func connectionMessagesAreWhatProtobufCWrites() throws {
    var random = RandomValues(seed: freshSeed("connectionMessagesAreWhatProtobufCWrites"))
    for _ in 0..<500 {
      let hello = random.hello().encode()
      #expect(try repacked(hello, as: MessageKind(tidemark__v1__hello__init)) == hello)
      let meta = random.callMeta().encode()
      #expect(try repacked(meta, as: MessageKind(tidemark__v1__call_meta__init)) == meta)
      let goAway = random.goAway().encode()
      #expect(try repacked(goAway, as: MessageKind(tidemark__v1__go_away__init)) == goAway)
      let status = random.status().encode()
      #expect(try repacked(status, as: MessageKind(google__rpc__status__init)) == status)
    }
  }

  @Test func statusDetailsAreWhatProtobufCReads() throws {
    let violation = Violation(field: FieldPath("expected"), rule: "expected_required", message: "Say it.")
    let badRequest = RPCStatus.Detail.badRequest([violation]).value
    #expect(try repacked(badRequest, as: MessageKind(google__rpc__bad_request__init)) == badRequest)
    let info = RPCStatus.Detail.errorInfo(reason: "VERSION_MISMATCH", metadata: [("current_version", "7")]).value
    #expect(try repacked(info, as: MessageKind(google__rpc__error_info__init)) == info)
  }

  @Test func theSharedRequestsAreTheSameOnTheWire() throws {
    let name = Raw.text(1, "shop")
    for bytes in [
      try repacked(name, as: MessageKind(tidemark__v1__create_space_request__init)),
      try repacked(name, as: MessageKind(tidemark__v1__get_space_request__init)),
      try repacked(name, as: MessageKind(tidemark__v1__verify_space_request__init)),
    ] { #expect(bytes == name) }
    var random = RandomValues(seed: 1)
    let outcome = try WriteResponse(outcome: random.outcome()).encode(using: arena)
    for bytes in [
      try repacked(outcome, as: MessageKind(tidemark__v1__create_response__init)),
      try repacked(outcome, as: MessageKind(tidemark__v1__update_response__init)),
      try repacked(outcome, as: MessageKind(tidemark__v1__replace_response__init)),
      try repacked(outcome, as: MessageKind(tidemark__v1__delete_response__init)),
      try repacked(outcome, as: MessageKind(tidemark__v1__restore_response__init)),
      try repacked(outcome, as: MessageKind(tidemark__v1__get_or_create_response__init)),
    ] { #expect(bytes == outcome) }
  }
}

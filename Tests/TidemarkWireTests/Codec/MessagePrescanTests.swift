import CTidemarkProtobufC
import CTidemarkWire
import Testing

@testable import TidemarkWire

/// What no message of Tidemark can show, because none is recursive or packed: with descriptors made for the purpose.
@Suite struct MessagePrescanTests {
  /// Scans with a message whose field 1 is the message itself and whose field 2 is a packed list of bools.
  private func check(_ bytes: [UInt8], elementsMax: Int = 1_000) -> WireError? {
    withUnsafeTemporaryAllocation(of: ProtobufCFieldDescriptor.self, capacity: 2) { fields in
      withUnsafeTemporaryAllocation(of: ProtobufCMessageDescriptor.self, capacity: 1) { message in
        var field = ProtobufCFieldDescriptor()
        field.id = 1
        field.label = PROTOBUF_C_LABEL_REPEATED
        field.type = PROTOBUF_C_TYPE_MESSAGE
        field.descriptor = UnsafeRawPointer(message.baseAddress)
        fields.initializeElement(at: 0, to: field)
        field.id = 2
        field.type = PROTOBUF_C_TYPE_BOOL
        field.descriptor = nil
        fields.initializeElement(at: 1, to: field)
        var descriptor = ProtobufCMessageDescriptor()
        descriptor.fields = UnsafePointer(fields.baseAddress)
        descriptor.n_fields = 2
        message.initializeElement(at: 0, to: descriptor)
        guard let start = message.baseAddress else { return nil }
        return refusal(bytes) { (raw) throws(WireError) in
          try MessagePrescan.check(raw, descriptor: start, elementsMax: elementsMax)
        }
      }
    }
  }

  private func nested(_ depth: Int) -> [UInt8] { (1..<depth).reduce([UInt8]()) { bytes, _ in Raw.bytes(1, bytes) } }

  @Test func nestingIsRefusedBeyondTheLimit() {
    #expect(check(nested(WireLimits.messageDepthMax)) == nil)
    #expect(check(nested(WireLimits.messageDepthMax + 1)) == .tooDeep)
    #expect(check(nested(20_000), elementsMax: .max) == .tooDeep)
  }

  @Test func packedValuesAreCountedBeforeTheyExpand() {
    #expect(check(Raw.bytes(2, [UInt8](repeating: 1, count: 1_000))) == nil)
    #expect(check(Raw.bytes(2, [UInt8](repeating: 1, count: 1_001))) == .tooManyElements)
    #expect(
      check(Raw.bytes(2, [UInt8](repeating: 1, count: 501)) + Raw.bytes(2, [UInt8](repeating: 1, count: 501))) == .tooManyElements
    )
    #expect(check([[UInt8]](repeating: Raw.number(2, 1), count: 1_001).flatMap { $0 }) == .tooManyElements)
  }

  @Test func everyLevelSpendsFromOneBudget() {
    let inner = [[UInt8]](repeating: Raw.bytes(1, []), count: 499).flatMap { $0 }
    #expect(check(Raw.bytes(1, inner) + Raw.bytes(1, inner)) == nil)
    #expect(check(Raw.bytes(1, inner) + Raw.bytes(1, inner) + Raw.bytes(1, [])) == .tooManyElements)
  }
}

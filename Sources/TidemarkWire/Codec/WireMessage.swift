import CTidemarkProtobufC

/// A message that can be read from its encoding.
public protocol DecodableMessage: Sendable {
  /// Decodes and checks every name, limit and required part.
  ///
  /// - Throws: `WireError`, which `RPCStatus.init(_:)` turns into an answer.
  static func decode(_ bytes: UnsafeRawBufferPointer, using arena: MessageArena) throws(WireError) -> Self
}

/// A message that can be encoded.
public protocol EncodableMessage: Sendable {
  /// Builds the C form of the message. For use by `withPacked` and `encode` only.
  func makeMessage(in arena: MessageArena) throws(WireError) -> MessagePointer
}

/// The C form of a message, alive until its arena is used again.
public struct MessagePointer {
  let message: UnsafePointer<ProtobufCMessage>

  init<Message>(_ message: UnsafeMutablePointer<Message>) {
    self.message = UnsafeRawPointer(message).assumingMemoryBound(to: ProtobufCMessage.self)
  }
}

/// A message ready to be written. Valid only inside the closure of `withPacked`.
public struct PackedMessage {
  private let pointer: MessagePointer
  /// The size of the encoding, in bytes.
  public let size: Int

  init(_ pointer: MessagePointer) {
    self.pointer = pointer
    size = protobuf_c_message_get_packed_size(pointer.message)
  }

  /// Writes the encoding to the start of `target`, which must hold at least `size` bytes.
  ///
  /// - Returns: the number of bytes written, which is `size`.
  public func pack(into target: UnsafeMutableRawBufferPointer) -> Int {
    precondition(target.count >= size, "the buffer is smaller than the packed message")
    guard size > 0, let start = target.baseAddress else { return 0 }
    return protobuf_c_message_pack(pointer.message, start.assumingMemoryBound(to: UInt8.self))
  }
}

extension EncodableMessage {
  /// Encodes straight into the caller's buffer, without an array in between.
  ///
  /// ```swift
  /// try response.withPacked(using: arena) { packed in
  ///   buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: packed.size) { packed.pack(into: $0) }
  /// }
  /// ```
  ///
  /// - Throws: `limitExceeded` when the encoding is larger than `WireLimits.messageBytesMax`; the closure is not called then.
  public func withPacked<Result>(
    using arena: MessageArena, _ body: (PackedMessage) -> Result
  ) throws(WireError) -> Result {
    arena.reset()
    defer { arena.reset() }
    let packed = PackedMessage(try makeMessage(in: arena))
    guard packed.size <= WireLimits.messageBytesMax else { throw .tooLarge }
    return body(packed)
  }

  /// Encodes to an array.
  ///
  /// - Throws: `limitExceeded` when the encoding is larger than `WireLimits.messageBytesMax`.
  public func encode(using arena: MessageArena) throws(WireError) -> [UInt8] {
    try withPacked(using: arena) { packed in
      [UInt8](unsafeUninitializedCapacity: packed.size) { target, count in
        count = packed.pack(into: UnsafeMutableRawBufferPointer(target))
      }
    }
  }
}

/// Encodes and decodes the messages of a connection. They are few, small and flat, and one of them comes with every call, so
/// they are read straight from the bytes; a test compares each with protobuf-c.
extension Hello {
  /// Encodes to protobuf.
  public func encode() -> [UInt8] {
    var writer = WireWriter(capacity: 128)
    writer.write(1, minorMin)
    writer.write(2, minorMax)
    writer.write(3, frameBytesMax)
    writer.write(4, messageBytesMax)
    writer.write(5, callsInFlightMax)
    writer.write(6, streamCreditBytes)
    writer.write(7, connectionCreditBytes)
    for compression in compressions { writer.writeAlways(8, compression.utf8) }
    writer.write(9, name)
    writer.write(10, bulkItemsMax)
    writer.write(11, receiptRetentionSeconds)
    writer.write(12, idleTimeoutMilliseconds)
    writer.write(13, schemaHash)
    return writer.bytes
  }

  /// Decodes from protobuf. Unknown fields are ignored.
  ///
  /// - Throws: `malformed`, or `limitExceeded` for a name over 128 bytes, over 16 compressions or a hash over 64 bytes.
  public static func decode(_ bytes: UnsafeRawBufferPointer) throws(WireError) -> Hello {
    var hello = Hello()
    var reader = WireReader(bytes)
    while let tag = try reader.readTag() {
      switch (tag.number, tag.type) {
      case (1, .varint): hello.minorMin = try reader.readUInt32()
      case (2, .varint): hello.minorMax = try reader.readUInt32()
      case (3, .varint): hello.frameBytesMax = try reader.readUInt32()
      case (4, .varint): hello.messageBytesMax = try reader.readUInt32()
      case (5, .varint): hello.callsInFlightMax = try reader.readUInt32()
      case (6, .varint): hello.streamCreditBytes = try reader.readUInt32()
      case (7, .varint): hello.connectionCreditBytes = try reader.readUInt32()
      case (8, .bytes):
        guard hello.compressions.count < WireLimits.helloCompressionsMax else { throw .tooLarge }
        hello.compressions.append(try reader.readString(bytesMax: WireLimits.helloNameBytesMax))
      case (9, .bytes): hello.name = try reader.readString(bytesMax: WireLimits.helloNameBytesMax)
      case (10, .varint): hello.bulkItemsMax = try reader.readUInt32()
      case (11, .varint): hello.receiptRetentionSeconds = try reader.readVarint()
      case (12, .varint): hello.idleTimeoutMilliseconds = try reader.readUInt32()
      case (13, .bytes):
        let hash = try reader.readBytes()
        guard hash.count <= WireLimits.schemaHashBytesMax else { throw .tooLarge }
        hello.schemaHash = [UInt8](hash)
      case (1...13, _): throw .unparsable
      default: try reader.skip(tag.type)
      }
    }
    return hello
  }
}

extension CallMeta {
  /// Encodes to protobuf.
  public func encode() -> [UInt8] {
    var writer = WireWriter(capacity: 96)
    writer.write(1, timeoutMicroseconds)
    writer.write(2, authorization)
    writer.write(3, attempt)
    writer.write(4, method)
    for entry in entries {
      var pair = WireWriter(capacity: entry.key.utf8.count + entry.value.count + 8)
      pair.write(1, entry.key)
      pair.write(2, entry.value)
      writer.writeAlways(5, pair.bytes)
    }
    return writer.bytes
  }

  /// Decodes from protobuf. Unknown fields are ignored.
  ///
  /// - Throws: `malformed`; `limitExceeded` for over 8 KiB or 64 pairs; `invalid` for a key that is not `[a-z0-9._-]{1,64}`.
  public static func decode(_ bytes: UnsafeRawBufferPointer) throws(WireError) -> CallMeta {
    guard bytes.count <= WireLimits.metadataBytesMax else { throw .tooLarge }
    var meta = CallMeta()
    var reader = WireReader(bytes)
    while let tag = try reader.readTag() {
      switch (tag.number, tag.type) {
      case (1, .varint): meta.timeoutMicroseconds = try reader.readVarint()
      case (2, .bytes): meta.authorization = try reader.readString()
      case (3, .varint): meta.attempt = try reader.readUInt32()
      case (4, .bytes): meta.method = try reader.readString()
      case (5, .bytes):
        guard meta.entries.count < WireLimits.metadataEntriesMax else { throw .tooManyElements }
        meta.entries.append(try Entry.decode(reader.readBytes()))
      case (1...5, _): throw .unparsable
      default: try reader.skip(tag.type)
      }
    }
    return meta
  }
}

extension CallMeta.Entry {
  fileprivate static func decode(_ bytes: UnsafeRawBufferPointer) throws(WireError) -> CallMeta.Entry {
    var entry = CallMeta.Entry(key: "", value: [])
    var reader = WireReader(bytes)
    while let tag = try reader.readTag() {
      switch (tag.number, tag.type) {
      case (1, .bytes): entry.key = try reader.readString()
      case (2, .bytes): entry.value = [UInt8](try reader.readBytes())
      case (1...2, _): throw .unparsable
      default: try reader.skip(tag.type)
      }
    }
    guard isValidKey(entry.key.utf8) else {
      throw .invalid("entries", rule: "metadata_key", "A metadata key is not of the form [a-z0-9._-]{1,64}.")
    }
    return entry
  }

  private static func isValidKey(_ key: String.UTF8View) -> Bool {
    (1...WireLimits.metadataKeyBytesMax).contains(key.count)
      && key.allSatisfy { byte in
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"): true
        case UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"): true
        default: false
        }
      }
  }
}

extension GoAway {
  /// Encodes to protobuf.
  public func encode() -> [UInt8] {
    var writer = WireWriter(capacity: 64)
    writer.write(1, lastStream)
    writer.write(2, debug)
    writer.write(3, retryAfterMilliseconds)
    writer.write(4, minorMin)
    writer.write(5, minorMax)
    return writer.bytes
  }

  /// Decodes from protobuf. Unknown fields are ignored.
  ///
  /// - Throws: `malformed`, or `limitExceeded` for a debug text over 256 bytes.
  public static func decode(_ bytes: UnsafeRawBufferPointer) throws(WireError) -> GoAway {
    var goAway = GoAway()
    var reader = WireReader(bytes)
    while let tag = try reader.readTag() {
      switch (tag.number, tag.type) {
      case (1, .varint): goAway.lastStream = try reader.readUInt32()
      case (2, .bytes): goAway.debug = try reader.readString(bytesMax: WireLimits.goAwayDebugBytesMax)
      case (3, .varint): goAway.retryAfterMilliseconds = try reader.readUInt32()
      case (4, .varint): goAway.minorMin = try reader.readUInt32()
      case (5, .varint): goAway.minorMax = try reader.readUInt32()
      case (1...5, _): throw .unparsable
      default: try reader.skip(tag.type)
      }
    }
    return goAway
  }
}

extension RPCStatus {
  /// Encodes to `google.rpc.Status`.
  public func encode() -> [UInt8] {
    let detailBytes = details.reduce(0) { $0 + $1.value.count + $1.typeURL.utf8.count + 12 }
    var writer = WireWriter(capacity: message.utf8.count + detailBytes + 16)
    writer.write(1, UInt64(code.rawValue))
    writer.write(2, message)
    for detail in details {
      var any = WireWriter(capacity: detail.typeURL.utf8.count + detail.value.count + 12)
      any.write(1, detail.typeURL)
      any.write(2, detail.value)
      writer.writeAlways(3, any.bytes)
    }
    return writer.bytes
  }

  /// Decodes from `google.rpc.Status`. A code that gRPC does not know becomes `unknown`.
  ///
  /// - Throws: `malformed`, or `limitExceeded` for over 64 details.
  public static func decode(_ bytes: UnsafeRawBufferPointer) throws(WireError) -> RPCStatus {
    var status = RPCStatus(.ok, "")
    var reader = WireReader(bytes)
    while let tag = try reader.readTag() {
      switch (tag.number, tag.type) {
      case (1, .varint):
        status.code = UInt16(exactly: try reader.readVarint()).flatMap { StatusCode(rawValue: $0) } ?? .unknown
      case (2, .bytes): status.message = try reader.readString()
      case (3, .bytes):
        guard status.details.count < WireLimits.statusDetailsMax else { throw .tooManyElements }
        status.details.append(try Detail.decode(reader.readBytes()))
      case (1...3, _): throw .unparsable
      default: try reader.skip(tag.type)
      }
    }
    return status
  }
}

extension RPCStatus.Detail {
  fileprivate static func decode(_ bytes: UnsafeRawBufferPointer) throws(WireError) -> RPCStatus.Detail {
    var detail = RPCStatus.Detail(typeURL: "", value: [])
    var reader = WireReader(bytes)
    while let tag = try reader.readTag() {
      switch (tag.number, tag.type) {
      case (1, .bytes): detail.typeURL = try reader.readString()
      case (2, .bytes): detail.value = [UInt8](try reader.readBytes())
      case (1...2, _): throw .unparsable
      default: try reader.skip(tag.type)
      }
    }
    return detail
  }
}

extension WireReader {
  /// Reads a number of 32 bits; higher bits are cut off, as protobuf does.
  fileprivate mutating func readUInt32() throws(WireError) -> UInt32 { UInt32(truncatingIfNeeded: try readVarint()) }

  fileprivate mutating func readString(bytesMax: Int) throws(WireError) -> String {
    let bytes = try readBytes()
    guard bytes.count <= bytesMax else { throw .tooLarge }
    return try String(wire: bytes)
  }
}

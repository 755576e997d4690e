import CTidemarkZlib

/// Compresses single messages in zlib format (RFC 1950), without a context shared between messages.
public enum MessageCompression {
  /// Compresses a message; `nil` when that does not make it smaller, or so much smaller that the peer would take it for a bomb.
  public static func compress(_ bytes: UnsafeRawBufferPointer) -> [UInt8]? {
    guard let source = bytes.baseAddress, bytes.count > 1, bytes.count <= WireLimits.messageBytesMax else { return nil }
    // One byte less than the message: what does not fit is not worth it.
    let output = [UInt8](unsafeUninitializedCapacity: bytes.count - 1) { target, count in
      var length = uLongf(target.count)
      let code = compress2(
        target.baseAddress, &length, source.assumingMemoryBound(to: Bytef.self), uLong(bytes.count), Z_BEST_SPEED)
      count = code == Z_OK ? Int(length) : 0
    }
    guard !output.isEmpty, bytes.count / output.count < WireLimits.inflationRatioMax else { return nil }
    return output
  }

  /// Restores a compressed message.
  ///
  /// Memory grows with what was inflated, never past `bytesMax` or 100 times the compressed size.
  ///
  /// - Throws: `limitExceeded` when it inflates to more, `malformed` when it is cut, damaged or followed by further bytes.
  public static func inflate(_ bytes: UnsafeRawBufferPointer, bytesMax: Int) throws(WireError) -> [UInt8] {
    guard let source = bytes.baseAddress, let sourceCount = UInt32(exactly: bytes.count) else { throw .badCompression }
    var stream = z_stream()
    guard inflateInit_(&stream, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else { throw .badCompression }
    defer { inflateEnd(&stream) }
    // zlib does not write to its input.
    stream.next_in = UnsafeMutablePointer(mutating: source.assumingMemoryBound(to: Bytef.self))
    stream.avail_in = sourceCount

    let (ratioLimit, overflow) = bytes.count.multipliedReportingOverflow(by: WireLimits.inflationRatioMax)
    let limit = max(0, overflow ? bytesMax : min(bytesMax, ratioLimit))
    var output: [UInt8] = []
    var filled = 0
    while true {
      if filled == output.count {
        // One byte more than allowed, so that too much is seen as such.
        let grown = min(limit + 1, max(4096, min(bytes.count * 4, 65536), output.count * 2))
        guard grown > output.count else { throw .badCompression }
        var larger = [UInt8](repeating: 0, count: grown)
        larger.withUnsafeMutableBytes { target in output.withUnsafeBytes { target.copyMemory(from: $0) } }
        output = larger
      }
      let code = output.withUnsafeMutableBytes { target in
        stream.next_out = target.baseAddress.map { ($0 + filled).assumingMemoryBound(to: Bytef.self) }
        stream.avail_out = UInt32(clamping: target.count - filled)
        let code = CTidemarkZlib.inflate(&stream, Z_NO_FLUSH)
        filled = target.count - Int(stream.avail_out)
        return code
      }
      guard filled <= limit else { throw .inflatesTooMuch }
      switch code {
      case Z_STREAM_END:
        guard stream.avail_in == 0 else { throw .badCompression }
        output.removeLast(output.count - filled)
        return output
      case Z_OK where stream.avail_out == 0: continue
      default: throw .badCompression
      }
    }
  }
}

extension WireError {
  static let badCompression = WireError(.malformed, "The compressed message is damaged.")
  static let inflatesTooMuch = WireError(.limitExceeded, "The compressed message inflates to more than the limit.")
}

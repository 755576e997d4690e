internal import NIOCore
internal import TidemarkWire

extension ByteBuffer {
  /// The readable bytes, with a typed error.
  func withReadable<Result>(_ body: (UnsafeRawBufferPointer) throws(WireError) -> Result) throws(WireError) -> Result {
    let result: Swift.Result<Result, WireError> = withUnsafeReadableBytes { bytes in
      do throws(WireError) { return .success(try body(bytes)) } catch { return .failure(error) }
    }
    return try result.get()
  }
}

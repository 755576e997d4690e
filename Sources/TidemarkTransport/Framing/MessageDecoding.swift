import NIOCore
import TidemarkWire

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

extension ByteBuffer {
  /// The message restored from its zlib form; `nil` when it is damaged or grows past `bytesMax` or 100 times its size.
  func inflated(bytesMax: Int) -> ByteBuffer? {
    withUnsafeReadableBytes { try? MessageCompression.inflate($0, bytesMax: bytesMax) }.map { ByteBuffer(bytes: $0) }
  }

  /// The message in zlib form; `nil` when that is not worth it.
  func deflated() -> ByteBuffer? {
    guard readableBytes >= WireLimits.compressedBytesMin else { return nil }
    return withUnsafeReadableBytes { MessageCompression.compress($0) }.map { ByteBuffer(bytes: $0) }
  }

  /// Takes the block of metadata off the front: u16 length, then that many bytes; `nil` when it is not all there.
  mutating func readMetaBlock() -> ByteBuffer? {
    guard let length = readInteger(as: UInt16.self) else { return nil }
    return readSlice(length: Int(length))
  }

  /// True when the readable bytes are exactly `other`.
  func isEqual(to other: [UInt8]) -> Bool {
    guard readableBytes == other.count else { return false }
    return withUnsafeReadableBytes { mine in
      other.withUnsafeBytes { theirs in
        guard let left = mine.baseAddress, let right = theirs.baseAddress else { return true }
        return memcmp(left, right, theirs.count) == 0
      }
    }
  }
}

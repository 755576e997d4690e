#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif
import Synchronization

/// Standard output or standard error, with a buffer.
final class StandardStream: Sendable {
  /// Data, and nothing else.
  static let output = StandardStream(descriptor: 1)
  /// Progress, notes, questions and errors.
  static let error = StandardStream(descriptor: 2)

  private static let bufferBytesMax = 64 * 1024

  private let descriptor: Int32
  private let buffer = Mutex<[UInt8]>([])

  private init(descriptor: Int32) { self.descriptor = descriptor }

  func write(_ text: String) { write(text.utf8) }

  func write(_ new: some Sequence<UInt8> & Sendable) {
    buffer.withLock { bytes in
      bytes.append(contentsOf: new)
      if bytes.count >= StandardStream.bufferBytesMax { drain(&bytes) }
    }
  }

  func flush() { buffer.withLock { drain(&$0) } }

  private func drain(_ bytes: inout [UInt8]) {
    var written = 0
    while written < bytes.count {
      let count = bytes.withUnsafeBytes { raw in
        #if canImport(Darwin)
          Darwin.write(descriptor, raw.baseAddress?.advanced(by: written), raw.count - written)
        #elseif canImport(Musl)
          Musl.write(descriptor, raw.baseAddress?.advanced(by: written), raw.count - written)
        #else
          Glibc.write(descriptor, raw.baseAddress?.advanced(by: written), raw.count - written)
        #endif
      }
      if count > 0 {
        written += count
      } else if errno == EINTR {
        continue
      } else if errno == EPIPE {
        // Whoever read this has enough. End as a program does that never heard of it.
        signal(SIGPIPE, SIG_DFL)
        raise(SIGPIPE)
      } else {
        // What was asked for did not arrive: a full disk must not look like success.
        _exit(ExitStatus.failed.rawValue)
      }
    }
    bytes.removeAll(keepingCapacity: true)
  }
}

/// Ends the process.
func exit(_ status: ExitStatus) -> Never {
  #if canImport(Darwin)
    Darwin.exit(status.rawValue)
  #elseif canImport(Musl)
    Musl.exit(status.rawValue)
  #else
    Glibc.exit(status.rawValue)
  #endif
}

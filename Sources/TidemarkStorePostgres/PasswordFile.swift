internal import Glibc
internal import TidemarkStore

/// A file that holds a password and nothing else.
enum PasswordFile {
  /// A longer file is none of these.
  private static let bytesMax = 4_096

  /// Reads the password. One line end behind it is not part of it.
  ///
  /// The file may be read by its owner only; one that belongs to root, and not to the user of this process, also by its group: that is how a
  /// system hands secrets to its services.
  /// - Throws: `StoreError` with code `unavailable`, with the file's name and never its content.
  static func read(_ path: String) throws(StoreError) -> String {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { throw failure(path, "cannot be read: \(String(cString: strerror(errno)))") }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { throw failure(path, "is no file") }
    let allowed: mode_t = status.st_uid == 0 && geteuid() != 0 ? 0o740 : 0o700
    guard status.st_mode & 0o777 & ~allowed == 0 else {
      throw failure(path, "may be read or changed by others; deny them that: chmod 600 \(path)")
    }
    var bytes = [UInt8](repeating: 0, count: bytesMax + 1)
    var count = 0
    while count < bytes.count {
      let more = bytes[count...].withUnsafeMutableBytes { Glibc.read(descriptor, $0.baseAddress, $0.count) }
      if more < 0, errno == EINTR { continue }
      guard more >= 0 else { throw failure(path, "cannot be read: \(String(cString: strerror(errno)))") }
      if more == 0 { break }
      count += more
    }
    guard count <= bytesMax else { throw failure(path, "is too long for a password") }
    var content = bytes[..<count]
    if content.last == UInt8(ascii: "\n") { content.removeLast() }
    if content.last == UInt8(ascii: "\r") { content.removeLast() }
    guard !content.isEmpty else { throw failure(path, "is empty") }
    guard !content.contains(where: { $0 == 0 || $0 == UInt8(ascii: "\n") }), let text = String(validating: content, as: UTF8.self)
    else { throw failure(path, "holds more than one line, or no text") }
    return text
  }

  private static func failure(_ path: String, _ what: String) -> StoreError {
    StoreError(.unavailable, "the password file '\(path)' \(what)")
  }
}

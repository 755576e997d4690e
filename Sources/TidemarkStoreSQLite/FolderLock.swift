internal import TidemarkStore

#if canImport(Glibc)
  internal import Glibc
#else
  internal import Musl
#endif

/// The ownership of a data folder: an exclusive `flock` on the file `tidemark.lock` in it, which names the owner's pid.
///
/// The kernel gives the lock up when the process dies. A second handle in the same process is refused like one of another
/// process.
final class FolderLock: Sendable {
  private let descriptor: Int32

  /// Takes the lock.
  ///
  /// - Throws: `StoreError` with code `locked` when somebody has it, `failed` when the file cannot be made.
  init(folder: String) throws(StoreError) {
    let path = "\(folder)/tidemark.lock"
    let opened = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
    guard opened >= 0 else { throw StoreError(.failed, "\(path): \(FolderLock.reason(errno))") }
    guard flock(opened, LOCK_EX | LOCK_NB) == 0 else {
      let code = errno
      let owner = FolderLock.readOwner(opened)
      close(opened)
      guard code == EWOULDBLOCK else { throw StoreError(.failed, "\(path): \(FolderLock.reason(code))") }
      throw StoreError(.locked, "the data folder \(folder) is in use by process \(owner)")
    }
    descriptor = opened
    let text = Array("\(getpid())\n".utf8)
    // The pid only helps a person; the lock does not depend on it.
    _ = ftruncate(opened, 0)
    _ = pwrite(opened, text, text.count, 0)
  }

  deinit {
    // A child that was forked at this moment and has not reached its exec has the descriptor, too: closing ours would leave it the lock.
    flock(descriptor, LOCK_UN)
    close(descriptor)
  }

  /// Makes a folder that only its owner can enter, and the ones above it, and makes its existence durable.
  ///
  /// - Throws: `StoreError` with code `failed`.
  static func makeFolder(_ folder: String) throws(StoreError) {
    if mkdir(folder, 0o700) == 0 {
      try sync(parent(of: folder))
      return
    }
    switch errno {
    case EEXIST: return
    case ENOENT:
      let above = parent(of: folder)
      guard above != folder else { throw StoreError(.failed, "\(folder): \(reason(ENOENT))") }
      try makeFolder(above)
      guard mkdir(folder, 0o700) == 0 || errno == EEXIST else { throw StoreError(.failed, "\(folder): \(reason(errno))") }
      try sync(above)
    case let code: throw StoreError(.failed, "\(folder): \(reason(code))")
    }
  }

  /// Makes the entries of a folder durable.
  ///
  /// - Throws: `StoreError` with code `failed`.
  static func sync(_ folder: String) throws(StoreError) {
    let opened = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard opened >= 0 else { throw StoreError(.failed, "\(folder): \(reason(errno))") }
    defer { close(opened) }
    guard fsync(opened) == 0 || errno == EINVAL else { throw StoreError(.failed, "\(folder): \(reason(errno))") }
  }

  static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

  private static func parent(of folder: String) -> String {
    var bytes = Array(folder.utf8)
    while bytes.count > 1, bytes.last == UInt8(ascii: "/") { bytes.removeLast() }
    guard let slash = bytes.lastIndex(of: UInt8(ascii: "/")) else { return "." }
    return slash == 0 ? "/" : String(decoding: bytes[..<slash], as: UTF8.self)
  }

  private static func readOwner(_ descriptor: Int32) -> String {
    var bytes = [UInt8](repeating: 0, count: 16)
    let count = pread(descriptor, &bytes, bytes.count, 0)
    let digits = bytes.prefix(max(count, 0)).prefix { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
    return digits.isEmpty ? "unknown" : String(decoding: digits, as: UTF8.self)
  }

  private static func reason(_ code: Int32) -> String { strerror(code).map { String(cString: $0) } ?? "error \(code)" }
}

import CTidemarkSQLite
import Glibc
import Synchronization

/// A disk without room for the files of one folder, behind SQLite's back: its system calls that write answer ENOSPC.
enum FullDisk {
  private static let filledPath = Mutex<String?>(nil)

  /// Takes the place of SQLite's writing calls for the whole process. Files nobody filled are written as ever.
  static let isInstalled: Bool = {
    guard let vfs = sqlite3_vfs_find(nil), let set = vfs.pointee.xSetSystemCall else { return false }
    let write: @convention(c) (Int32, UnsafeRawPointer?, Int) -> Int = { file, bytes, count in
      guard FullDisk.isFull(file) else { return Glibc.write(file, bytes, count) }
      errno = ENOSPC
      return -1
    }
    let pwrite: @convention(c) (Int32, UnsafeRawPointer?, Int, Int) -> Int = { file, bytes, count, offset in
      guard FullDisk.isFull(file) else { return Glibc.pwrite(file, bytes, count, offset) }
      errno = ENOSPC
      return -1
    }
    let calls = [
      ("write", unsafeBitCast(write, to: sqlite3_syscall_ptr?.self)),
      ("pwrite", unsafeBitCast(pwrite, to: sqlite3_syscall_ptr?.self)),
      ("pwrite64", unsafeBitCast(pwrite, to: sqlite3_syscall_ptr?.self)),
    ]
    // A call that this build of SQLite does not use is not found, and not needed.
    return calls.count { set(vfs, $0.0, $0.1) == SQLITE_OK } > 0
  }()

  /// Runs a body while nothing more can be written to one file.
  static func filling<Result>(_ path: String, _ body: () throws -> Result) rethrows -> Result {
    filledPath.withLock { $0 = realPath(path) }
    defer { filledPath.withLock { $0 = nil } }
    return try body()
  }

  private static func isFull(_ file: Int32) -> Bool {
    guard let filled = filledPath.withLock({ $0 }) else { return false }
    return realPath("/proc/self/fd/\(file)") == filled
  }

  private static func realPath(_ path: String) -> String? {
    guard let resolved = realpath(path, nil) else { return nil }
    defer { free(resolved) }
    return String(cString: resolved)
  }
}

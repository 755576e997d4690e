#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// Reads and writes whole small files.
enum TextFile {
  /// The largest file read, in bytes.
  static let bytesMax = 1 << 20

  struct Failure: Error {
    var what: String
    var isMissing = false
  }

  /// Reads a file of text; `-` is standard input.
  ///
  /// - Returns: the text, and whether others than the owner may read it.
  static func read(_ path: String) throws(Failure) -> (text: String, isOpenToOthers: Bool) {
    let (bytes, isOpen) = try readBytes(path)
    guard let text = String(validating: bytes, as: UTF8.self) else { throw Failure(what: "'\(path)' is no small text file") }
    return (text, isOpen)
  }

  /// Reads a file; `-` is standard input.
  ///
  /// - Returns: the bytes, and whether others than the owner may read it.
  static func readBytes(_ path: String) throws(Failure) -> (bytes: [UInt8], isOpenToOthers: Bool) {
    guard let file = path == "-" ? fdopen(dup(0), "r") : fopen(path, "r") else {
      throw Failure(what: "'\(path)' cannot be read: \(systemText())", isMissing: errno == ENOENT)
    }
    defer { fclose(file) }
    var bytes = [UInt8](repeating: 0, count: bytesMax + 1)
    let count = fread(&bytes, 1, bytes.count, file)
    guard ferror(file) == 0 else { throw Failure(what: "'\(path)' cannot be read: \(systemText())") }
    guard count <= bytesMax else { throw Failure(what: "'\(path)' is larger than 1 MiB") }
    var status = stat()
    let isOpen = fstat(fileno(file), &status) == 0 && status.st_mode & 0o077 != 0
    return (Array(bytes[..<count]), isOpen)
  }

  /// Replaces a file in one step; only the owner may read it. Makes its folder when it is missing.
  static func replace(_ path: String, with text: String) throws(Failure) {
    if let slash = path.lastIndex(of: "/") { try makeFolder(String(path[..<slash])) }
    let temporary = "\(path).\(getpid())"
    unlink(temporary)
    let descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL, 0o600)
    guard descriptor >= 0, let file = fdopen(descriptor, "w") else {
      throw Failure(what: "'\(temporary)' cannot be written: \(systemText())")
    }
    let bytes = Array(text.utf8)
    let isWritten = fwrite(bytes, 1, bytes.count, file) == bytes.count && fflush(file) == 0 && fsync(descriptor) == 0
    guard fclose(file) == 0, isWritten, rename(temporary, path) == 0 else {
      let what = systemText()
      unlink(temporary)
      throw Failure(what: "'\(path)' cannot be written: \(what)")
    }
  }

  /// Makes a folder for its owner only, and those above it.
  static func makeFolder(_ path: String) throws(Failure) {
    guard !path.isEmpty, access(path, F_OK) != 0 else { return }
    if let slash = path.lastIndex(of: "/") { try makeFolder(String(path[..<slash])) }
    guard mkdir(path, 0o700) == 0 || errno == EEXIST else {
      throw Failure(what: "the folder '\(path)' cannot be made: \(systemText())")
    }
  }

  static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

  /// Removes a file; nothing happens when there is none.
  static func remove(_ path: String) { unlink(path) }

  static func systemText() -> String { String(cString: strerror(errno)) }
}

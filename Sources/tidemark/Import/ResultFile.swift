#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// Writes one JSON object a row as soon as the server has answered it: `{"line":2,"id":"…","outcome":"created"}`.
///
/// What stands in the file was acknowledged, whatever happens to this process afterwards.
struct ResultFile {
  private let path: String
  private let file: UnsafeMutablePointer<FILE>
  private var hasFailed = false

  init(path: String) throws(CommandFailure) {
    self.path = path
    guard let file = fopen(path, "w") else {
      throw CommandFailure(.failed, "'\(path)' cannot be written: \(TextFile.systemText()).")
    }
    self.file = file
  }

  mutating func write(line: Int, id: String, outcome: String) {
    let record = JSON.object([
      JSON.Member("line", .number(String(line))), JSON.Member("id", .string(id)), JSON.Member("outcome", .string(outcome)),
    ])
    let bytes = Array((record.compact + "\n").utf8)
    if fwrite(bytes, 1, bytes.count, file) != bytes.count || fflush(file) != 0 { hasFailed = true }
  }

  /// Ends the file.
  func close() throws(CommandFailure) {
    let isClosed = fclose(file) == 0
    guard isClosed, !hasFailed else {
      throw CommandFailure(.failed, "'\(path)' is not complete: \(TextFile.systemText()).")
    }
  }
}

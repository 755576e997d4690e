#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// Writes refused rows in the form of the file they came from, with the reason beside each: mend them and import this file.
struct RejectFile {
  private let path: String
  private let file: UnsafeMutablePointer<FILE>
  private var isHeaderWritten = false
  private var hasFailed = false

  init(path: String) throws(CommandFailure) {
    self.path = path
    guard let file = fopen(path, "w") else {
      throw CommandFailure(.failed, "'\(path)' cannot be written: \(TextFile.systemText()).")
    }
    self.file = file
  }

  mutating func write(_ row: ImportRow, _ refusal: ImportReport.Refusal, header: [String]?) {
    let names = ["line", "outcome", "reason"].map { ColumnMap.rejectPrefix + $0 }
    let values = [String(refusal.line), refusal.outcome, refusal.reason]
    switch row.source {
    case .cells(let cells):
      // A rejected file that is rejected again has these columns already.
      let header = header ?? []
      let kept = header.indices.filter { !header[$0].hasPrefix(ColumnMap.rejectPrefix) }
      if !isHeaderWritten { put(CSVText.row(kept.map { header[$0] } + names)) }
      isHeaderWritten = true
      put(CSVText.row(kept.map { $0 < cells.count ? cells[$0] : "" } + values))
    case .object(let members):
      let kept = members.filter { !$0.name.hasPrefix(ColumnMap.rejectPrefix) }
      put(JSON.object(kept + zip(names, values).map { JSON.Member($0, .string($1)) }).compact + "\n")
    case .text(let text): put(text + "\n")
    }
  }

  /// Ends the file.
  func close() throws(CommandFailure) {
    let isClosed = fclose(file) == 0
    guard isClosed, !hasFailed else {
      throw CommandFailure(.failed, "'\(path)' is not complete: \(TextFile.systemText()).")
    }
  }

  private mutating func put(_ text: String) {
    let bytes = Array(text.utf8)
    if fwrite(bytes, 1, bytes.count, file) != bytes.count { hasFailed = true }
  }
}

import TidemarkClient
import TidemarkCore

/// What a results file that is about to be written again tells of writes that were applied. None of it is ever dropped: without
/// it they could not be taken back.
struct EarlierResults {
  private let path: String
  /// What the file tells, when it is of this history of the space.
  private let history: BulkHistory?
  /// The rows that were done, by the names of their writes.
  let done: [String: JSON]
  /// Whether its lines come before those of this run. Lines are in the order of the writes, because an undo goes backwards.
  var isFirst = true

  static let none = EarlierResults()

  private init() {
    path = ""
    history = nil
    done = [:]
  }

  /// Reads the results that `path` holds, if any.
  ///
  /// - Throws: `CommandFailure` when they are of another server or space, and tell of applied writes.
  init(_ path: String, _ session: Session, _ epoch: Epoch) throws(CommandFailure) {
    self.path = path
    guard TextFile.exists(path) else {
      history = nil
      done = [:]
      return
    }
    let found = try BulkHistory(path: path)
    done = found.done(in: epoch)
    guard found.epoch != UUIDText.format(epoch.rawValue) else {
      history = found
      return
    }
    history = nil
    // A space that was made anew or restored forgets what its results told; another server's or space's are still good.
    let isHere = found.space == session.target.space.text && found.server == session.target.address.description
    guard !isHere, !found.applied.isEmpty else { return }
    throw .usage(
      "'\(path)' tells of another bulk (\(found.applied.count) applied), of another server or space. Nothing was sent.",
      advice: ["To keep both, move that file first."])
  }

  /// The lines that tell of applied writes.
  var records: [JSON] { (history?.applied ?? []).map(\.record) }

  /// Refuses a file of other rows than those whose results these are. A file of which no row can be sent replaces nothing.
  ///
  /// - Parameter next: the next row of this run; `nil` at the end. When it throws, the run ends there, too, and nothing is refused.
  func check(_ next: () throws(CommandFailure) -> BulkRow?) throws(CommandFailure) {
    let names = Set(records.map { $0["write"]?.string ?? $0["operation_id"]?.string ?? "" })
    var missing = names
    var sendsRows = false
    while !missing.isEmpty {
      let row: BulkRow?
      do throws(CommandFailure) { row = try next() } catch { return }
      guard let row else {
        if sendsRows { throw EarlierResults.refusal(path, records.count) }
        return
      }
      guard let name = row.name else { continue }
      sendsRows = true
      missing.remove(name.description)
    }
  }

  private static func refusal(_ path: String, _ count: Int) -> CommandFailure {
    .usage(
      "'\(path)' tells of another bulk (\(count) applied), and would be replaced. Nothing was sent.",
      advice: [
        "To take that one back:  tidemark bulk undo \(ShellText.quote(path))",
        "To keep both:           move that file first, or give this bulk a name: --run NAME",
      ])
  }
}

extension BulkHistory {
  /// The lines of writes that changed something, in the order of the file.
  var applied: [Entry] {
    entries.filter { $0.isDone && $0.outcome != OutcomeCode.unchanged.word && $0.record["operation_id"]?.string != nil }
  }

  /// Refuses results of another server or space.
  ///
  /// - Parameter allowsRestored: whether the same space made anew or restored from a backup is as good.
  func check(_ session: Session, _ epoch: Epoch, _ path: String, allowsRestored: Bool) throws(CommandFailure) {
    guard let own = self.epoch, own != UUIDText.format(epoch.rawValue) else { return }
    let here = session.target.address.description
    guard let server, server != here else {
      if allowsRestored { return }
      throw .usage(
        "'\(path)' is of another server or space: since then the space was made anew or restored, and has other versions.",
        advice: ["To see what is there now, read the entities, then send the rows with these versions: tidemark bulk FILE"])
    }
    throw .usage(
      "'\(path)' is of another server or space: it holds results of \(server), and this is \(here). Nothing was sent.",
      advice: ["To go there:  --url \(ShellText.quote(server))"])
  }
}

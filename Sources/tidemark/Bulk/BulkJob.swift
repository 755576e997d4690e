import TidemarkClient
import TidemarkCore

/// Sends the rows of a file in parts, in order, and notes what became of each.
struct BulkJob {
  /// How a bulk ended.
  enum End {
    case complete
    case interrupted
    /// The file cannot be read on.
    case unreadable(CommandFailure)
    /// The server could not be asked.
    case failed(ClientError)
  }

  /// No row of the first part says its type, and none is given for all.
  struct Untyped: Error {}

  /// How many rows one part has, as long as no group is longer. What is kept of one part is all the memory a bulk needs.
  static let partRowsMax = 500

  let space: SpaceClient
  let options: BulkOptions
  /// What an earlier run of the same file did, by the names of the writes.
  let done: [String: JSON]
  let progress: Progress
  let isInterrupted: @Sendable () -> Bool
  /// Hears of every row, in order.
  let tell: (BulkResult) throws -> Void
  /// Hears of every row that an earlier run did.
  let tellDone: (JSON) throws -> Void
  /// Called when a part is answered.
  let flush: () -> Void
  private(set) var tally = BulkTally()

  init(
    space: SpaceClient, options: BulkOptions, done: [String: JSON], progress: Progress,
    isInterrupted: @escaping @Sendable () -> Bool, tell: @escaping (BulkResult) throws -> Void,
    tellDone: @escaping (JSON) throws -> Void, flush: @escaping () -> Void
  ) {
    self.space = space
    self.options = options
    self.done = done
    self.progress = progress
    self.isInterrupted = isInterrupted
    self.tell = tell
    self.tellDone = tellDone
    self.flush = flush
  }

  /// Runs to the end of the rows, to Ctrl-C, or to the first call that fails.
  ///
  /// - Parameters:
  ///   - next: the next row; `nil` at the end.
  ///   - fraction: how much of the file was read, 0 to 1.
  mutating func run(_ next: () throws(CommandFailure) -> BulkRow?, fraction: () -> Double?) async throws -> End {
    defer { progress.finish() }
    var part: [BulkRow] = []
    var ahead: BulkRow?
    var end = End.complete
    var isReading = true
    while isReading {
      do throws(CommandFailure) {
        if let row = try next() { ahead = row } else { isReading = false }
      } catch {
        isReading = false
        end = .unreadable(error)
      }
      if isInterrupted() {
        isReading = false
        end = .interrupted
      }
      let isFull = part.count >= BulkJob.partRowsMax && options.mode == .partial
      // Neighbours of one group are never parted.
      let belongs = ahead?.group != nil && ahead?.group == part.last?.group
      if !part.isEmpty, !isReading || (isFull && !belongs) {
        // An atomic bulk that was not read whole is not sent.
        if options.mode == .atomic, !isComplete(end) { return end }
        if case .interrupted = end { return end }
        if let error = try await send(part) { return .failed(error) }
        part = []
        progress.update(count: UInt64(tally.rows), fraction: fraction())
      }
      if let row = ahead, isReading {
        part.append(row)
        ahead = nil
        guard options.mode == .partial || part.count <= Limits.itemsPerRequestMax else {
          throw CommandFailure(
            .failed, "An atomic bulk has at most \(Limits.itemsPerRequestMax) rows.", code: "too_large",
            advice: ["Without --atomic any number of rows is written."])
        }
      }
    }
    return end
  }

  private func isComplete(_ end: End) -> Bool {
    if case .complete = end { true } else { false }
  }

  /// Sends one part, and notes what became of it.
  ///
  /// - Returns: why the server could not be asked.
  private mutating func send(_ rows: [BulkRow]) async throws -> ClientError? {
    if tally.rows == 0, rows.allSatisfy({ $0.type.isEmpty }), rows.contains(where: { !$0.operation.isEmpty }) {
      throw Untyped()
    }
    let spoiled = spoiledRows(rows)
    var items: [WriteItem] = []
    var places: [Int] = []
    for (index, row) in rows.enumerated() {
      if let name = row.name, done[name.description] != nil { continue }
      guard !spoiled.contains(index), case .success(let item) = row.content else { continue }
      items.append(item)
      places.append(index)
    }
    var fates: [Int: WriteFate] = [:]
    var fatal: ClientError?
    if !items.isEmpty {
      do {
        let report = try await space.bulk(items, mode: options.mode, validatesOnly: options.validatesOnly)
        for (place, fate) in zip(places, report.fates) {
          fates[place] = fate
          // A request that is not well made is the fault of its rows; everything else ends the bulk.
          if case .notExecuted(let error) = fate, error.code != .invalidArgument { fatal = fatal ?? error }
          if case .unknown(let error) = fate { fatal = fatal ?? error }
        }
      } catch let error as ClientError {
        return error
      } catch let error as BulkPlanError {
        let advice = options.mode == .atomic ? ["Without --atomic any number of rows is written."] : []
        throw CommandFailure(.failed, error.message, code: error.code.rawValue, advice: advice)
      }
    }
    for (index, row) in rows.enumerated() {
      if let name = row.name, let record = done[name.description] {
        tally.doneBefore += 1
        try tellDone(record)
        continue
      }
      guard let result = result(of: row, fates[index], rows: rows, places: places) else { continue }
      tally.add(result)
      try tell(result)
    }
    flush()
    return fatal
  }

  /// What became of a row; `nil` when it is not known, so that the next run asks again.
  private func result(of row: BulkRow, _ fate: WriteFate?, rows: [BulkRow], places: [Int]) -> BulkResult? {
    switch fate {
    case .outcome(let outcome):
      var message = outcome.message
      if outcome.code == .aborted, let cause = outcome.cause, places.indices.contains(cause) {
        message = "It depends on line \(rows[places[cause]].line), which failed."
      }
      return BulkResult(row: row, word: outcome.code.word, message: message, outcome: outcome)
    case .notExecuted(let error) where error.code == .invalidArgument:
      return BulkResult(row: row, word: "invalid", message: error.violations.first?.message ?? error.message, outcome: nil)
    case .notExecuted, .unknown: return nil
    case nil:
      if case .failure(let problem) = row.content {
        return BulkResult(row: row, word: "unreadable", message: problem.what, outcome: nil)
      }
      return BulkResult(
        row: row, word: "not_sent", message: "A row that it must succeed together with cannot be read.", outcome: nil)
    }
  }

  /// The readable rows that are not sent, because a row of their group, or of an atomic bulk, cannot be read.
  private func spoiledRows(_ rows: [BulkRow]) -> Set<Int> {
    func isUnread(_ row: BulkRow) -> Bool {
      if case .failure = row.content { true } else { false }
    }
    if options.mode == .atomic { return rows.contains(where: isUnread) ? Set(rows.indices) : [] }
    var spoiled: Set<Int> = []
    var start = 0
    while start < rows.count {
      var end = start + 1
      while end < rows.count, rows[start].group != nil, rows[end].group == rows[start].group { end += 1 }
      if rows[start..<end].contains(where: isUnread) { spoiled.formUnion(start..<end) }
      start = end
    }
    return spoiled
  }
}

public import TidemarkCore
public import TidemarkWire

/// The calls that write many entities at once.
extension SpaceClient {
  /// Sends any number of writes, in order, in as few requests as the server's limits allow.
  ///
  /// The items keep their operation ids in every attempt, so nothing is applied twice. When a request fails for good, the
  /// outcomes of those before it stay, its own items are `unknown` or `notExecuted`, and the rest is not sent, unless the
  /// request was refused as malformed. Conflicts are outcomes; see `retryFailed(_:refresh:)`.
  ///
  /// ```swift
  /// let report = try await client.space("hotel").bulk(items) { print("\($0.done) of \($0.total)") }
  /// for index in report.failures { print(items[index].id, report.fates[index], report.retryClass(at: index)) }
  /// ```
  ///
  /// - Parameters:
  ///   - items: the writes. What they refer to is named by its place among them, from 0.
  ///   - mode: an `atomic` bulk must fit one request.
  ///   - validatesOnly: only tell what would become of the writes. Several requests do not see what the others would do.
  ///   - returnsEntities: the outcomes carry the entities as they are after the writes.
  ///   - deadline: for each request, over all its attempts; `nil` for that of the options.
  ///   - progress: called after each request.
  /// - Throws: `BulkPlanError` when the items cannot be split, or `ClientError` when the server cannot be reached at all. Nothing
  ///   was sent then.
  public func bulk(
    _ items: [WriteItem], mode: BulkMode = .partial, validatesOnly: Bool = false, returnsEntities: Bool = false,
    deadline: Duration? = nil, progress: (@Sendable (BulkProgress) -> Void)? = nil
  ) async throws -> BulkReport {
    try await bulkRunner(mode, validatesOnly, returnsEntities, deadline).run(items, progress: progress)
  }

  /// Sends again what is not done of a bulk, and nothing else.
  ///
  /// Items that failed by a conflict or the like are never repeated against a fresh version by themselves: `refresh` decides for
  /// each. See `BulkReport.retryItems(decisions:makeOperationID:)` for what else is sent.
  ///
  /// - Parameters:
  ///   - report: of `bulk` or of an earlier retry.
  ///   - refresh: gets each item of `report.undecided` with its outcome, and returns the new write, or `nil` to leave it. It gets a new
  ///     operation id unless it has one.
  /// - Returns: the report of all items.
  /// - Throws: as `bulk`, and what `refresh` throws. Nothing was sent then.
  public func retryFailed(
    _ report: BulkReport, returnsEntities: Bool = false, deadline: Duration? = nil,
    progress: (@Sendable (BulkProgress) -> Void)? = nil,
    refresh: (WriteItem, Outcome) async throws -> WriteItem?
  ) async throws -> BulkReport {
    var decisions: [Int: WriteItem] = [:]
    for index in report.undecided {
      guard let outcome = report.fates[index].outcome else { continue }
      decisions[index] = try await refresh(report.items[index], outcome)
    }
    let retry = report.retryItems(decisions: decisions) { client.makeOperationID() }
    let retried = try await bulkRunner(report.mode, report.validatesOnly, returnsEntities, deadline)
      .run(retry.items, kept: retry.kept, progress: progress)
    return report.merging(retried, of: retry)
  }

  /// Asks what became of earlier writes of the caller, without writing.
  ///
  /// - Parameter operations: any number; more than a request holds are asked for in several.
  /// - Returns: what is known, in the order of the operations; the revision and the receipt floor are those of the latest request.
  public func getOutcomes(
    _ operations: [OperationID], deadline: Duration? = nil
  ) async throws(ClientError) -> GetOutcomesResponse? {
    var all: GetOutcomesResponse?
    let itemsMax = BulkLimits(try await client.runner.hello(deadline: client.limit(deadline))).itemsMax
    for start in stride(from: 0, to: operations.count, by: itemsMax) {
      let asked = Array(operations[start..<min(start + itemsMax, operations.count)])
      var answer = try await client.runner.unary(
        .getOutcomes, GetOutcomesRequest(space: name, operations: asked), as: GetOutcomesResponse.self,
        deadline: client.limit(deadline))
      guard answer.results.map(\.operation) == asked else {
        throw ClientError(.protocolError, "The server's outcomes are not those of the operations that were asked for.")
      }
      answer.results = (all?.results ?? []) + answer.results
      all = answer
    }
    return all
  }

  /// Takes earlier writes of the caller back with new, version-checked writes.
  ///
  /// More than a request holds go in several, from the last to the first; each request takes its writes back from the latest to
  /// the earliest. So name them in the order they were made.
  ///
  /// - Parameters:
  ///   - operations: the operation ids of the writes.
  ///   - onConflict: what becomes of an entity that was changed since: `fail` or `merge`.
  ///   - mode: an `atomic` undo must fit one request.
  /// - Returns: what became of each.
  /// - Throws: `ClientError`, `invalidArgument` when an atomic undo is too large, or when the server cannot be reached at all.
  public func undo(
    _ operations: [OperationID], onConflict: OnConflict = .fail, mode: BulkMode = .partial, validatesOnly: Bool = false,
    deadline: Duration? = nil
  ) async throws(ClientError) -> UndoReport {
    let items = operations.map { UndoWritesRequest.UndoItem(operation: $0, undoOperation: client.makeOperationID()) }
    return try await undo(items, onConflict: onConflict, mode: mode, validatesOnly: validatesOnly, deadline: deadline)
  }

  /// As `undo(_:onConflict:mode:validatesOnly:deadline:)` with operation ids of its own for taking back, so that an undo with an
  /// unknown outcome can be asked for again.
  public func undo(
    _ items: [UndoWritesRequest.UndoItem], onConflict: OnConflict = .fail, mode: BulkMode = .partial,
    validatesOnly: Bool = false, deadline: Duration? = nil
  ) async throws(ClientError) -> UndoReport {
    var report = UndoReport(items: items, fates: [])
    guard !items.isEmpty else { return report }
    let itemsMax = BulkLimits(try await client.runner.hello(deadline: client.limit(deadline))).itemsMax
    guard mode == .partial || items.count <= itemsMax else {
      throw ClientError(.invalidArgument, "An atomic undo has at most \(itemsMax) writes.")
    }
    var fatal: ClientError?
    for end in stride(from: items.count, to: 0, by: -itemsMax) {
      let part = Array(items[max(0, end - itemsMax)..<end])
      let fates: [WriteFate]
      if let fatal {
        fates = part.map { _ in .notExecuted(fatal.asNotExecuted) }
      } else {
        do throws(ClientError) {
          let request = UndoWritesRequest(
            space: name, items: part, onConflict: onConflict, mode: mode, validatesOnly: validatesOnly)
          fates = try await sendUndo(request, deadline).map { .outcome($0) }
        } catch {
          fatal = error
          fates = part.map { _ in WriteFate(error) }
        }
      }
      report.fates = fates + report.fates
    }
    return report
  }

  private func sendUndo(_ request: UndoWritesRequest, _ deadline: Duration?) async throws(ClientError) -> [Outcome] {
    let answer = try await client.runner.unary(
      .undoWrites, request, as: UndoWritesResponse.self, isWrite: !request.validatesOnly, deadline: client.limit(deadline))
    guard answer.outcomes.count == request.items.count else {
      throw ClientError(.protocolError, "The server's outcomes are not those of the writes to take back.")
    }
    return answer.outcomes
  }

  private func bulkRunner(
    _ mode: BulkMode, _ validatesOnly: Bool, _ returnsEntities: Bool, _ deadline: Duration?
  ) -> BulkRunner {
    BulkRunner(
      runner: client.runner, space: name, mode: mode, validatesOnly: validatesOnly, returnsEntities: returnsEntities,
      deadline: client.limit(deadline))
  }
}

/// What became of writes that were taken back, in the order of the request.
public struct UndoReport: Hashable, Sendable {
  /// The operations, each with the one that takes it back.
  public let items: [UndoWritesRequest.UndoItem]
  /// What became of each. `unchanged` when its write had changed nothing, `notFound` when there is no receipt.
  public internal(set) var fates: [WriteFate]
}

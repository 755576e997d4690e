import TidemarkCore
import TidemarkWire

/// Sends a bulk, one request after the other.
struct BulkRunner {
  let runner: CallRunner
  let space: SpaceName
  let mode: BulkMode
  let validatesOnly: Bool
  let returnsEntities: Bool
  /// For each request, over all its attempts.
  let deadline: Duration?

  /// - Parameter kept: runs of items that must be a request of their own.
  func run(
    _ items: [WriteItem], kept: [Range<Int>] = [], progress: (@Sendable (BulkProgress) -> Void)?
  ) async throws -> BulkReport {
    var report = BulkReport(items: items, mode: mode, validatesOnly: validatesOnly)
    guard !items.isEmpty else { return report }
    let limits = BulkLimits(try await runner.hello(deadline: deadline))
    let plan = try BulkPlan(items, space: space, mode: mode, limits: limits, kept: kept)
    var fatal: ClientError?
    for part in plan.parts {
      if let fatal {
        report.add(fatal.asNotExecuted, for: part.range)
      } else {
        do throws(ClientError) {
          let answer = try await send(part)
          report.add(answer.outcomes, for: part.range, revision: answer.revision, epoch: answer.epoch)
        } catch {
          report.add(error, for: part.range)
          // What is wrong with one request is not wrong with the next. Anything else ends the bulk, so that no item
          // overtakes one before it.
          if error.code != .invalidArgument { fatal = error }
        }
      }
      progress?(BulkProgress(done: report.fates.count, total: items.count, failed: report.failedCount))
    }
    return report
  }

  private func send(_ part: BulkPlan.Part) async throws(ClientError) -> BulkWriteResponse {
    let request = BulkWriteRequest(
      space: space, items: part.items, mode: mode, validatesOnly: validatesOnly, returnsEntities: returnsEntities,
      // What all of them knew at least.
      knownRevision: part.items.compactMap(\.knownRevision).min())
    let answer = try await runner.unary(
      .bulkWrite, request, as: BulkWriteResponse.self, isWrite: !validatesOnly, deadline: deadline)
    guard answer.outcomes.count == part.items.count,
      zip(answer.outcomes, part.items).allSatisfy({ $0.operation == $1.operation })
    else { throw ClientError(.protocolError, "The server's outcomes are not those of the request's items.") }
    return answer
  }
}

extension ClientError {
  /// The same failure for a request behind the one that failed: that one may have been executed, this one was not sent.
  var asNotExecuted: ClientError {
    guard code == .outcomeUnknown || code == .protocolError else { return self }
    return ClientError(.unavailable, "Not sent: an earlier request of the bulk has no answer. \(message)", retryAfter: retryAfter)
  }
}

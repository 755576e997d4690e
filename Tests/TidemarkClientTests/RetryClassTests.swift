import Testing
import TidemarkCore
import TidemarkWire

@testable import TidemarkClient

/// One row for each outcome and each status: neither is a passing failure taken for a lasting one, nor the reverse.
@Suite struct RetryClassTests {
  @Test(arguments: [
    (OutcomeCode.applied, RetryClass.done), (.unchanged, .done), (.merged, .done), (.conflict, .retryAfterRefresh),
    (.notFound, .needsDecision), (.alreadyExists, .needsDecision), (.uniqueViolation, .needsDecision),
    (.referenceViolation, .needsDecision), (.invalid, .hopeless), (.forbidden, .hopeless), (.vetoed, .hopeless),
    (.purged, .needsDecision), (.epochChanged, .retryAfterRefresh), (.receiptExpired, .needsDecision), (.aborted, .retryNow),
  ])
  func outcomesAreClassified(_ code: OutcomeCode, _ expected: RetryClass) {
    #expect(code.retryClass == expected)
    // In step with the advice that the server gives.
    switch code.retryAdvice {
    case .none: #expect(expected == .done)
    case .same: #expect(expected == .retryNow)
    case .refresh: #expect(expected == .retryAfterRefresh || expected == .needsDecision)
    case .never: #expect(expected == .hopeless)
    }
  }

  @Test func everyOutcomeHasARow() { #expect(OutcomeCode.allCases.count == 15) }

  @Test(arguments: [
    (StatusCode.cancelled, RetryClass.retryNow), (.unknown, .retryNow), (.invalidArgument, .hopeless),
    (.deadlineExceeded, .retryNow), (.notFound, .needsDecision), (.alreadyExists, .hopeless), (.permissionDenied, .hopeless),
    (.resourceExhausted, .retryNow), (.failedPrecondition, .needsDecision), (.aborted, .needsDecision),
    (.outOfRange, .hopeless), (.unimplemented, .hopeless), (.internal, .retryNow), (.unavailable, .retryNow),
    (.dataLoss, .retryNow), (.unauthenticated, .needsDecision),
  ])
  func statusesAreClassified(_ code: StatusCode, _ expected: RetryClass) {
    #expect(ClientError(RPCStatus(code, "x")).retryClass == expected)
  }

  @Test func everyStatusHasARow() { #expect(StatusCode.allCases.count == 17) }

  @Test func aFailureThatMayHaveBeenExecutedIsUnknown() {
    #expect(WriteFate(ClientError(.outcomeUnknown, "x")) == .unknown(ClientError(.outcomeUnknown, "x")))
    #expect(WriteFate(ClientError(.protocolError, "x")).retryClass == .retryNow)
    #expect(WriteFate(ClientError(.unavailable, "x")) == .notExecuted(ClientError(.unavailable, "x")))
  }
}

public import TidemarkCore

extension OutcomeCode {
  /// The status code of a single-item call with this outcome: the one place that decides it.
  public var statusCode: StatusCode {
    switch self {
    case .applied, .unchanged, .merged: .ok
    case .conflict, .aborted: .aborted
    case .notFound: .notFound
    case .alreadyExists, .uniqueViolation: .alreadyExists
    case .referenceViolation, .vetoed, .purged, .epochChanged, .receiptExpired: .failedPrecondition
    case .invalid: .invalidArgument
    case .forbidden: .permissionDenied
    }
  }

  /// The reason in `google.rpc.ErrorInfo`, a stable word for programs; `nil` for success.
  public var errorReason: String? {
    switch self {
    case .applied, .unchanged, .merged: nil
    case .conflict: "VERSION_MISMATCH"
    case .notFound: "ENTITY_NOT_FOUND"
    case .alreadyExists: "ENTITY_ALREADY_EXISTS"
    case .uniqueViolation: "UNIQUE_VIOLATION"
    case .referenceViolation: "REFERENCE_VIOLATION"
    case .invalid: "INVALID_WRITE"
    case .forbidden: "FORBIDDEN"
    case .vetoed: "VETOED"
    case .purged: "ENTITY_PURGED"
    case .epochChanged: "EPOCH_CHANGED"
    case .receiptExpired: "RECEIPT_EXPIRED"
    case .aborted: "WRITE_ABORTED"
    }
  }
}

extension RPCStatus {
  /// The status of a single-item call that was not applied; `nil` when it was.
  ///
  /// Details: the outcome as `tidemark.v1.Outcome`, a `google.rpc.ErrorInfo`, and for an invalid write a `google.rpc.BadRequest`.
  ///
  /// - Throws: `limitExceeded` when the outcome does not fit into a message: leave out parts of its conflict and try again.
  public init?(_ outcome: Outcome, using arena: MessageArena) throws(WireError) {
    guard let reason = outcome.code.errorReason else { return nil }
    self.init(outcome.code.statusCode, outcome.message)
    details.append(Detail(typeURL: Detail.outcomeURL, value: try outcome.encode(using: arena)))
    let metadata = outcome.version.map { [("current_version", $0.description)] } ?? []
    details.append(.errorInfo(reason: reason, metadata: metadata))
    if !outcome.violations.isEmpty { details.append(.badRequest(outcome.violations)) }
  }

  /// The answer to a request that could not be decoded: INVALID_ARGUMENT, with a `google.rpc.BadRequest` naming broken rules.
  public init(_ error: WireError) {
    self.init(.invalidArgument, error.place.isEmpty ? error.message : "\(error.place): \(error.message)")
    if !error.violations.isEmpty { details.append(.badRequest(error.violations, in: error.place)) }
  }

  /// The answer to a request that breaks a rule of the data model.
  public init(_ violation: Violation) { self.init(WireError(violation)) }

  /// The outcome that a failed write carries; `nil` when the status holds none.
  public func outcome(using arena: MessageArena) throws(WireError) -> Outcome? {
    guard let detail = details.first(where: { $0.typeURL == Detail.outcomeURL }) else { return nil }
    var result: Result<Outcome, WireError> = .failure(.unparsable)
    detail.value.withUnsafeBytes { bytes in
      result = Result { () throws(WireError) in try Outcome.decode(bytes, using: arena) }
    }
    return try result.get()
  }
}

extension RPCStatus.Detail {
  static let outcomeURL = "type.googleapis.com/tidemark.v1.Outcome"

  /// A `google.rpc.ErrorInfo` of the domain `tidemark`.
  public static func errorInfo(reason: String, metadata: [(String, String)] = []) -> RPCStatus.Detail {
    var writer = WireWriter(capacity: 64)
    writer.write(1, reason)
    writer.write(2, "tidemark")
    for (key, value) in metadata {
      var entry = WireWriter(capacity: 48)
      entry.write(1, key)
      entry.write(2, value)
      writer.writeAlways(3, entry.bytes)
    }
    return RPCStatus.Detail(typeURL: "type.googleapis.com/google.rpc.ErrorInfo", value: writer.bytes)
  }

  /// A `google.rpc.BadRequest`: each violation as the field, and the rule and the sentence as `rule: sentence`.
  ///
  /// - Parameter place: the element of a list that the fields belong to, for example `items[3]`; empty for the message itself.
  public static func badRequest(_ violations: [Violation], in place: String = "") -> RPCStatus.Detail {
    var writer = WireWriter(capacity: 128)
    for violation in violations {
      var entry = WireWriter(capacity: 128)
      entry.write(1, [place, violation.field?.text ?? ""].filter { !$0.isEmpty }.joined(separator: "."))
      entry.write(2, "\(violation.rule): \(violation.message)")
      writer.writeAlways(1, entry.bytes)
    }
    return RPCStatus.Detail(typeURL: "type.googleapis.com/google.rpc.BadRequest", value: writer.bytes)
  }
}

internal import TidemarkCore
internal import TidemarkStore
internal import TidemarkTransport
internal import TidemarkWire

/// Ends a call with a status.
struct CallFailure: Error {
  var status: RPCStatus
  /// The request could not be parsed at all.
  var isMalformed = false

  init(_ status: RPCStatus) { self.status = status }

  init(_ error: WireError) {
    status = RPCStatus(error)
    isMalformed = error.code == .malformed
  }
}

/// The statuses the server answers with, each in one place: equal refusals have equal texts.
extension RPCStatus {
  static let unauthenticated = RPCStatus(.unauthenticated, "This call needs a valid token.")
  static let permissionDenied = RPCStatus(.permissionDenied, "You may not do this.")
  static let overloaded = RPCStatus(
    .resourceExhausted, "The server has too much to do. Try again after a moment.",
    details: [.notExecuted, .retryAfter(milliseconds: 200)])
  static let diskFull = RPCStatus(
    .resourceExhausted, "The server has no room left. Nothing was stored.",
    details: [.notExecuted, .retryAfter(milliseconds: 5_000)])
  static func revisionsUsedUp(_ space: SpaceName) -> RPCStatus {
    RPCStatus(.resourceExhausted, "The space '\(space)' has used all its revisions. Nothing was stored.", details: [.notExecuted])
  }
  static let damaged = RPCStatus(.dataLoss, "What is stored about this is damaged. The operator should verify the store.")
  static let storeFailed = RPCStatus(
    .unavailable, "Storing failed, and whether the write happened is not known. Send it again with the same operation id.",
    details: [.errorInfo(reason: "OUTCOME_UNKNOWN"), .retryAfter(milliseconds: 1_000)])
  static let storeUnavailable = RPCStatus(
    .unavailable, "The database cannot be reached now. Nothing was stored. Try again after a moment.",
    details: [.notExecuted, .retryAfter(milliseconds: 1_000)])
  static let readFailed = RPCStatus(
    .unavailable, "The store cannot be read now. Try again after a moment.", details: [.retryAfter(milliseconds: 1_000)])
  static let tooLargeToTell = RPCStatus(.resourceExhausted, "The answer would be larger than a message may be.")
  static let expired = RPCStatus(
    .deadlineExceeded, "The deadline passed before the call was executed.", details: [.notExecuted])

  static func unknownMethod(_ name: String) -> RPCStatus {
    RPCStatus(.unimplemented, "This server has no method \(String(name.prefix(100))).")
  }

  static func unknownSpace(_ name: SpaceName) -> RPCStatus {
    RPCStatus(.notFound, "There is no space '\(name)'.", details: [.errorInfo(reason: "SPACE_NOT_FOUND")])
  }

  static func unknownEntity(_ key: EntityKey) -> RPCStatus {
    RPCStatus(.notFound, "There is no \(key.type) '\(key.id)'.", details: [.errorInfo(reason: "ENTITY_NOT_FOUND")])
  }

  /// What a reader is told about a store that could not be read.
  static func ofRead(_ error: any Error) -> RPCStatus {
    guard let failure = error as? StoreError else { return error is CorruptFields ? damaged : readFailed }
    switch failure.code {
    case .corrupt: return damaged
    case .locked, .full, .unknownFormat, .unavailable, .outcomeUnknown, .failed: return readFailed
    }
  }

  /// What an administrator is told about work that was not stored.
  static func ofWrite(_ error: StoreError) -> RPCStatus {
    switch error.code {
    case .full: diskFull
    case .corrupt: damaged
    case .unavailable: storeUnavailable
    case .locked, .unknownFormat, .outcomeUnknown, .failed: storeFailed
    }
  }
}

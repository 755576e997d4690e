/// What a server answered in place of a result, or why there was no answer.
public struct PostgresError: Error, Sendable, CustomStringConvertible {
  /// The five characters of the SQLSTATE (PostgreSQL documentation, appendix A); empty when the server said nothing.
  public let state: String
  /// The connection is of no use any more. What was sent before may have been done, also when no answer came.
  public let isConnectionLost: Bool
  public let message: String

  init(state: String, isConnectionLost: Bool, message: String) {
    self.state = state
    self.isConnectionLost = isConnectionLost
    var message = message
    while message.last?.isWhitespace == true { message.removeLast() }
    self.message = message.replacing("\n", with: " ")
  }

  /// The first two characters of `state`: the class of the error.
  public var stateClass: Substring { state.prefix(2) }

  public var description: String { state.isEmpty ? message : "\(state): \(message)" }
}

extension PostgresError {
  /// The connection was lost before it was of any use.
  public static let lostAtStart = PostgresError(
    state: "", isConnectionLost: true, message: "the connection was lost right after it was made")
}

/// Why a store could not do what it was asked. A code exists only where a caller reacts to it.
public struct StoreError: Error, Sendable, CustomStringConvertible {
  public enum Code: Sendable, Hashable {
    /// Another process owns the data folder.
    case locked
    /// There is no room left. Nothing of the transaction was kept; later ones may succeed.
    case full
    /// The store is of a later format than this program knows, or of no known format.
    case unknownFormat
    /// What was read is damaged.
    case corrupt
    /// The database cannot be reached, or has too much to do. Nothing of the transaction was kept, and it may be run again.
    case unavailable
    /// Whether the transaction is durable is unknown: the connection was lost during the commit. Others may be run.
    case outcomeUnknown
    /// Reading or writing failed. After a failed commit the writer must stop: whether it is durable is unknown.
    case failed
  }

  public var code: Code
  /// A sentence for the log. Never sent to a client.
  public var message: String

  public init(_ code: Code, _ message: String) {
    self.code = code
    self.message = message
  }

  public var description: String { "\(code): \(message)" }
}

/// When a value was edited and by which write: what decides between two edits of a `last_writer` field.
///
/// The later edit is the greater stamp; edits of the same microsecond are ordered by their operation ids.
public struct EditStamp: Hashable, Comparable, Sendable {
  /// When the person made the edit.
  public var editedAt: Timestamp
  /// The write that carried it.
  public var operation: OperationID

  public init(editedAt: Timestamp, operation: OperationID) {
    self.editedAt = editedAt
    self.operation = operation
  }

  public static func < (a: EditStamp, b: EditStamp) -> Bool {
    a.editedAt == b.editedAt ? a.operation < b.operation : a.editedAt < b.editedAt
  }

  /// The stamp as a server takes it: an edit is never later than the server's own clock.
  ///
  /// Otherwise one device whose clock stands in 2099 would win against everybody until then.
  public func clamped(to now: Timestamp) -> EditStamp { EditStamp(editedAt: Swift.min(editedAt, now), operation: operation) }

  /// The stamp of an edit whose writer saw the value stamped `seen`: later than that, even if the writer's clock is behind.
  ///
  /// An edit that is not later already is put one microsecond behind what it saw.
  public func following(_ seen: EditStamp?) -> EditStamp {
    guard let seen, self <= seen, self.operation != seen.operation else { return self }
    let (next, overflow) = seen.editedAt.rawValue.addingReportingOverflow(1)
    return overflow ? Swift.max(self, seen) : EditStamp(editedAt: Timestamp(rawValue: next), operation: operation)
  }

  /// The later of two stamps; a missing one is earlier than every other.
  static func later(_ a: EditStamp?, _ b: EditStamp?) -> EditStamp? {
    guard let a, let b else { return a ?? b }
    return Swift.max(a, b)
  }
}

internal import TidemarkCore
internal import TidemarkWire

/// The outcomes of a bulk on their way to an answer, never larger than a message.
///
/// Parts are left out in this order, each from all outcomes at once: bases, current entities, changes, entities of writes that succeeded, and
/// then everything that is more than what became of the write, and last the sentences about it. What was left out once is not taken in again.
struct BulkAnswer {
  /// What is left out so far, each with everything before it.
  enum Cut: Int, Comparable {
    case nothing, bases, currents, changes, entities, details, sentences

    static func < (a: Cut, b: Cut) -> Bool { a.rawValue < b.rawValue }
  }

  private(set) var outcomes: [Outcome]
  private(set) var cut = Cut.nothing
  private var size: Int
  private let bytesMax: Int

  /// - Parameter bytesMax: the most bytes that all outcomes may take, encoded.
  init(_ outcomes: [Outcome], bytesMax: Int = WireLimits.messageBytesMax - 64 * 1024) {
    self.outcomes = outcomes
    self.bytesMax = bytesMax
    size = outcomes.reduce(0) { $0 + $1.sizeMax }
    shrink()
  }

  /// Puts another outcome in the place of one, as far as there is room.
  mutating func replace(_ index: Int, with outcome: Outcome) {
    let outcome = outcome.without(cut)
    size += outcome.sizeMax - outcomes[index].sizeMax
    outcomes[index] = outcome
    shrink()
  }

  private mutating func shrink() {
    while size > bytesMax, let next = Cut(rawValue: cut.rawValue + 1) {
      cut = next
      for index in outcomes.indices { outcomes[index] = outcomes[index].without(next) }
      size = outcomes.reduce(0) { $0 + $1.sizeMax }
    }
  }
}

extension Outcome {
  /// The most violations and names that remain of an outcome when all outcomes of a bulk together are too large.
  private static let detailsMax = 2

  /// The outcome without what a cut and those before it leave out.
  fileprivate func without(_ cut: BulkAnswer.Cut) -> Outcome {
    guard cut != .nothing else { return self }
    var outcome = self
    if var conflict {
      if cut >= .bases { conflict.leaveOut(\.base) }
      if cut >= .currents { conflict.leaveOut(\.current) }
      if cut >= .changes, !conflict.changes.isEmpty {
        conflict.changes = []
        conflict.isTruncated = true
      }
      if cut >= .details, !conflict.overlapping.isEmpty {
        conflict.overlapping = []
        conflict.isTruncated = true
      }
      outcome.conflict = conflict
    }
    if cut >= .entities { outcome.entity = nil }
    if cut >= .details {
      outcome.violations = Array(violations.prefix(Outcome.detailsMax))
      outcome.related = Array(related.prefix(Outcome.detailsMax))
    }
    if cut >= .sentences { (outcome.violations, outcome.message) = ([], "") }
    return outcome
  }

  /// An upper bound of the encoded size, in bytes.
  var sizeMax: Int {
    var size = 128 + type.text.utf8.count + (id?.text.utf8.count ?? 0) + message.utf8.count
    size += entity?.sizeMax ?? 0
    size += conflict?.sizeMax ?? 0
    for violation in violations {
      size += 16 + (violation.field?.text.utf8.count ?? 0) + violation.rule.utf8.count + violation.message.utf8.count
    }
    for key in related { size += 16 + key.type.text.utf8.count + key.id.text.utf8.count }
    return size
  }
}

extension Entity {
  fileprivate var sizeMax: Int {
    96 + fields.bytes.count + key.type.text.utf8.count + key.id.text.utf8.count + created.by.text.utf8.count
      + 2 * updated.by.text.utf8.count
  }
}

extension Conflict {
  fileprivate mutating func leaveOut(_ part: WritableKeyPath<Conflict, Entity?>) {
    guard self[keyPath: part] != nil else { return }
    self[keyPath: part] = nil
    isTruncated = true
  }

  fileprivate var sizeMax: Int {
    var size = 128 + (current?.sizeMax ?? 0) + (base?.sizeMax ?? 0)
    for change in changes {
      size += 64 + change.name.text.utf8.count + change.changed.by.text.utf8.count
      size += (change.before?.sizeMax ?? 0) + (change.after?.sizeMax ?? 0)
    }
    return size + overlapping.reduce(0) { $0 + $1.text.utf8.count + 4 }
  }
}

extension Value {
  fileprivate var sizeMax: Int {
    switch self {
    case .null, .bool, .int, .double, .timestamp: 16
    case .string(let text), .json(let text): 16 + text.utf8.count
    case .bytes(let bytes): 16 + bytes.count
    case .list(let scalars): scalars.reduce(16) { $0 + 8 + $1.value.sizeMax }
    }
  }
}

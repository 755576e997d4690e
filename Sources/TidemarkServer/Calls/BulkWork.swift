internal import TidemarkCore

/// What the answer to a bulk needs of its request.
struct BulkWork: Sendable {
  let space: SpaceName
  /// The items as they were judged.
  let items: [WriteItem]
  /// Show the entities after writes that succeeded.
  let returnsEntities: Bool
  let validatesOnly: Bool
  /// How the outcomes become those of the request; `nil` when they are.
  let undo: UndoOrder?
  /// Of an exchange, what is pulled once the writes are committed.
  var pull: Pull?

  /// Whether the outcome of an item is answered with the entity.
  func showsEntity(_ index: Int) -> Bool {
    if returnsEntities { return true }
    guard items.indices.contains(index), case .getOrCreate = items[index].action else { return false }
    return true
  }
}

/// Where the outcomes of an undo belong in its request, and those that were known without writing.
struct UndoOrder: Sendable {
  /// For each judged item, the item of the request that it takes back.
  var places: [Int] = []
  /// The outcomes of the other items of the request.
  var settled: [Int: Outcome] = [:]

  /// The outcomes in the order of the request.
  func arranged(_ outcomes: [Outcome]) -> [Outcome] {
    var byPlace = settled
    for (place, outcome) in zip(places, outcomes) {
      var outcome = outcome
      // Of what belongs together the first is the write that was named. When it could not be because of another, that one says why.
      if let named = byPlace[place] {
        guard named.code == .aborted, !outcome.code.isSuccess, outcome.code != .aborted else { continue }
        outcome.operation = named.operation
      }
      outcome.cause = outcome.cause.flatMap { places.indices.contains($0) ? places[$0] : nil }
      byPlace[place] = outcome
    }
    return byPlace.sorted { $0.key < $1.key }.map(\.value)
  }
}

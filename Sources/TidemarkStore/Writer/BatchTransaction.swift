internal import TidemarkCore

/// Judges many requests in one transaction and stores what came of them.
///
/// The results come in the order of the requests. Requests of one space share one judge, so each sees what the ones before it did.
struct BatchTransaction {
  let transaction: any StoreTransaction
  let now: Timestamp
  let schemas: SchemaCache

  /// How much a batch may still load and make, in bytes of fields: a batch of small requests may be about many large entities.
  struct Room {
    var loaded = 16 * 1024 * 1024
    var made = 16 * 1024 * 1024
  }

  /// The results, and what was stored. A result is `nil` when the request was left because there is no more room;
  /// never that of every request.
  func run(_ requests: [WriteSubmission], random: inout any RandomNumberGenerator) throws -> (
    results: [WriteResult?], changes: [StoredChanges]
  ) {
    var results = [WriteResult?](repeating: .unknownSpace, count: requests.count)
    var room = Room()
    var changes: [StoredChanges] = []
    // In the order of the names, in which everybody locks spaces.
    for (space, indices) in group(requests).sorted(by: { $0.0 < $1.0 }) {
      let part = try run(indices.map { requests[$0] }, in: space, &room, random: &random)
      for (index, result) in zip(indices, part.results) { results[index] = result }
      changes += part.changes
    }
    return (results, changes)
  }

  private func run(
    _ requests: [WriteSubmission], in space: SpaceName, _ room: inout Room, random: inout any RandomNumberGenerator
  ) throws -> (results: [WriteResult?], changes: [StoredChanges]) {
    let ids = try requests.map { try SpaceBatch.ids(of: $0.items, now, &random) }
    transaction.expect(
      { ExpectedReads(requests, ids, in: space, schema: schemas.latest(of: space)) }, in: space)
    guard let record = try transaction.space(named: space) else { return (requests.map { _ in .unknownSpace }, []) }
    let schema = try schemas.schema(of: record, transaction)
    var batch = try SpaceBatch(record, schema, requests, ids, transaction, now: now, &room)
    if let outcomes = try batch.run(&room, random: &random) {
      return (
        requests.indices.map { $0 < outcomes.count ? outcomes[$0] : nil },
        [StoredChanges(space: record.id, changes: batch.changes)]
      )
    }
    guard requests.count > 1 else { return (requests.map { _ in .revisionsUsedUp }, []) }
    // Each is judged alone, so that those that need no revision are answered, a retry of what was applied among them.
    let single = try requests.map { try run([$0], in: space, &room, random: &random) }
    return (single.flatMap(\.results), single.flatMap(\.changes))
  }

  /// The indices of the requests of each space, in order of first appearance.
  private func group(_ requests: [WriteSubmission]) -> [(SpaceName, [Int])] {
    var groups: [(SpaceName, [Int])] = []
    for (index, request) in requests.enumerated() {
      if let known = groups.firstIndex(where: { $0.0 == request.space }) {
        groups[known].1.append(index)
      } else {
        groups.append((request.space, [index]))
      }
    }
    return groups
  }
}

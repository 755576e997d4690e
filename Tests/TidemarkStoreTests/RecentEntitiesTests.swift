import Testing
import TidemarkCore
import TidemarkTesting

@testable import TidemarkStore

@Suite struct RecentEntitiesTests {
  private let space = SpaceRecord(
    id: SpaceID(rawValue: 1), name: .default, epoch: Epoch(rawValue: Bytes16(high: 1, low: 1)), createdAt: Timestamp(rawValue: 1),
    genesis: Digest32.sha256([]))

  private func entity(_ number: Int, _ version: UInt64) throws -> Entity {
    let name = try #require(PrincipalName("tester"))
    let mark = Mark(at: Timestamp(rawValue: 1), by: name)
    return Entity(
      key: EntityKey(type: try #require(TypeName("room")), id: try #require(EntityID("r\(number)"))),
      version: EntityVersion(rawValue: version), revision: Revision(rawValue: version), life: .alive, created: mark,
      updated: mark,
      fields: CanonicalFields(try Fields([])))
  }

  private func stored(_ entities: [Entity]) -> [StoredChanges] {
    let changes = entities.map {
      Change(entity: $0, kind: .update, previous: .zero, operation: OperationID(rawValue: Bytes16(high: 1, low: 1)))
    }
    return [StoredChanges(space: space.id, changes: changes)]
  }

  @Test func whatWasReadBeforeACommitIsNotKeptAfterIt() throws {
    let recent = RecentEntities(bytesMax: 1 << 20)
    let old = try entity(1, 1)
    let new = try entity(1, 2)
    let moment = recent.moment()
    recent.willCommit(stored([new]))
    recent.didCommit(stored([new]))
    recent.keep(old, in: space, readAfter: moment)
    #expect(recent.entity(old.key, in: .default) == nil)
    recent.keep(new, in: space, readAfter: recent.moment())
    #expect(recent.entity(old.key, in: .default)?.entity == new)
  }

  @Test func untilACommitIsDurableItsEntitiesComeFromTheStore() throws {
    let recent = RecentEntities(bytesMax: 1 << 20)
    let old = try entity(1, 1)
    let new = try entity(1, 2)
    recent.keep(old, in: space, readAfter: recent.moment())
    recent.willCommit(stored([new]))
    #expect(recent.entity(old.key, in: .default) == nil)
    // A read that began now may find either state.
    recent.keep(old, in: space, readAfter: recent.moment())
    #expect(recent.entity(old.key, in: .default) == nil)
    recent.didCommit(stored([new]))
    #expect(recent.entity(old.key, in: .default)?.entity == new)
  }

  @Test func whatWasUndoneIsNeverAnswered() throws {
    let recent = RecentEntities(bytesMax: 1 << 20)
    let old = try entity(1, 1)
    let new = try entity(1, 2)
    recent.keep(old, in: space, readAfter: recent.moment())
    recent.willCommit(stored([new]))
    recent.didUndo(stored([new]))
    #expect(recent.entity(old.key, in: .default)?.entity == old)
  }

  @Test func administrativeWorkForgetsEverything() throws {
    let recent = RecentEntities(bytesMax: 1 << 20)
    let old = try entity(1, 1)
    recent.keep(old, in: space, readAfter: recent.moment())
    let moment = recent.moment()
    recent.willAdminister()
    #expect(recent.entity(old.key, in: .default) == nil)
    recent.keep(old, in: space, readAfter: recent.moment())
    recent.didAdminister()
    recent.keep(old, in: space, readAfter: moment)
    #expect(recent.entity(old.key, in: .default) == nil)
    recent.keep(old, in: space, readAfter: recent.moment())
    #expect(recent.entity(old.key, in: .default)?.entity == old)
  }

  /// Readers and a writer take turns in any order of their steps; what is answered is always what is durable, or what is about to be
  /// known as durable.
  @Test func inAnyOrderOfStepsTheAnswerIsTheLatestDurableState() throws {
    let seed = UInt64.random(in: 0...(.max))
    var random = SeededGenerator(seed: seed)
    var answered = 0
    for _ in 0..<20 {
      let recent = RecentEntities(bytesMax: 1 << 16)
      var durable: [Int: UInt64] = [:]
      var reads: [(moment: RecentEntities.Moment, number: Int, found: UInt64?)] = []
      /// The step of the commit: what it makes, whether the store has it, and whether it will be undone.
      var commit: (made: [Int: UInt64], isStored: Bool, isUndone: Bool)?
      for _ in 0..<600 {
        let number = Int.random(in: 0..<4, using: &random)
        switch Int.random(in: 0..<10, using: &random) {
        case 0, 1: reads.append((recent.moment(), number, nil))
        case 2, 3:
          guard let index = reads.firstIndex(where: { $0.found == nil }) else { continue }
          reads[index].found = durable[reads[index].number] ?? 0
        case 4, 5:
          guard let index = reads.indices.randomElement(using: &random), let found = reads[index].found else { continue }
          if found > 0 { recent.keep(try entity(reads[index].number, found), in: space, readAfter: reads[index].moment) }
          reads.remove(at: index)
        case 6:
          if let under = commit {
            let changes = stored(try under.made.map { try entity($0.key, $0.value) })
            if under.isStored || under.isUndone {
              if under.isUndone { recent.didUndo(changes) } else { recent.didCommit(changes) }
              commit = nil
            } else {
              durable.merge(under.made) { $1 }
              commit?.isStored = true
            }
          } else {
            let made = [number: (durable[number] ?? 0) + 1]
            recent.willCommit(stored(try made.map { try entity($0.key, $0.value) }))
            commit = (made, false, Int.random(in: 0..<4, using: &random) == 0)
          }
        default:
          guard let found = recent.entity(try entity(number, 1).key, in: .default) else { continue }
          answered += 1
          try #require(found.entity.version.rawValue == durable[number], "seed \(seed)")
        }
      }
    }
    #expect(answered > 1_000, "seed \(seed)")
  }
}

import Testing
import TidemarkCore

/// Each rule of the judge, on one small space.
@Suite struct SpaceJudgeTests {
  private struct World {
    var judge: SpaceJudge
    var nextOperation: UInt64 = 1
    let space: SpaceName
    let epoch = Epoch(rawValue: Bytes16(high: 1, low: 1))
    let writer: Principal
    let key: EntityKey

    init(receiptFloor: UInt64 = 0, fence: UInt64 = 0, entities: [EntityKey: Entity] = [:], revision: UInt64 = 0) throws {
      space = .default
      let name = try RandomValues.require(PrincipalName("front desk"))
      writer = Principal(name: name, roleEverywhere: .writer)
      key = EntityKey(
        type: try RandomValues.require(TypeName("booking")), id: try RandomValues.require(EntityID("room-1")))
      judge = SpaceJudge(
        context: .init(
          space: space, epoch: epoch, revision: Revision(rawValue: revision), receiptFloor: Revision(rawValue: receiptFloor),
          fence: Revision(rawValue: fence), now: Timestamp(rawValue: 1_000)),
        entities: entities.mapValues { $0 }, source: JudgedSpace())
    }

    mutating func judge(
      _ action: WriteAction, operation: UInt64? = nil, content: UInt64? = nil, known: UInt64? = nil,
      by principal: Principal? = nil
    ) throws -> Judged {
      let number = operation ?? nextOperation
      nextOperation += 1
      let item = WriteItem(
        operation: OperationID(rawValue: Bytes16(high: 0, low: number)), type: key.type, id: key.id, action: action,
        knownRevision: known.map { Revision(rawValue: $0) })
      let (changes, receipts) = (judge.changes.count, judge.receipts.count)
      let verdict = try judge.judge(
        item, id: key.id, content: Digest32(words: (content ?? number, 0, 0, 0)), by: principal ?? writer)
      switch verdict {
      case .judged(let outcome):
        return .judged(
          outcome, judge.changes.dropFirst(changes).first, judge.receipts.dropFirst(receipts).first?.receipt)
      case .replay(let receipt): return .replay(receipt)
      case .corrupt: return .corrupt
      }
    }

    /// A verdict with what it left behind.
    enum Judged {
      case judged(Outcome, Change?, Receipt?)
      case replay(Receipt)
      case corrupt
    }

    /// The code of the outcome; `nil` for a replay.
    mutating func code(
      _ action: WriteAction, operation: UInt64? = nil, content: UInt64? = nil, known: UInt64? = nil,
      by principal: Principal? = nil
    ) throws -> OutcomeCode? {
      if case .judged(let outcome, _, _) = try judge(action, operation: operation, content: content, known: known, by: principal)
      {
        return outcome.code
      }
      return nil
    }
  }

  private func fields(_ value: Int64) throws -> Fields {
    try Fields([Field(try RandomValues.require(FieldPath("n")), .int(value))])
  }

  private func set(_ value: Int64, _ version: UInt64, revision: UInt64? = nil, epoch: Epoch? = nil) throws -> WriteAction {
    .update(
      try Patch([.init(try RandomValues.require(FieldPath("n")), .set(.int(value)))]),
      expected(version, revision: revision, epoch: epoch))
  }

  private func expected(_ version: UInt64, revision: UInt64? = nil, epoch: Epoch? = nil) -> Expected {
    Expected(version: EntityVersion(rawValue: version), revision: revision.map { Revision(rawValue: $0) }, epoch: epoch)
  }

  @Test func versionsStartAtOneAndStepByOne() throws {
    var world = try World()
    guard case .judged(_, let created?, _) = try world.judge(.create(try fields(1))),
      case .judged(_, let updated?, _) = try world.judge(set(2, 1))
    else { throw RandomValues.Missing() }
    #expect(created.entity.version == .first && created.previous == .zero)
    #expect(updated.entity.version.rawValue == 2 && updated.previous == created.entity.revision)
    #expect(updated.entity.created == created.entity.created)
  }

  @Test func staleAndFutureVersionsConflict() throws {
    var world = try World()
    #expect(try world.code(.create(try fields(1))) == .applied)
    #expect(try world.code(set(2, 1)) == .applied)
    #expect(try world.code(set(3, 1)) == .conflict)
    #expect(try world.code(set(3, 9)) == .conflict)
    #expect(try world.code(set(3, 2, revision: 1)) == .conflict)
    #expect(try world.code(set(3, 2, revision: 2)) == .applied)
  }

  @Test func unchangedMakesNoVersion() throws {
    var world = try World()
    #expect(try world.code(.create(try fields(1))) == .applied)
    #expect(try world.code(set(1, 1)) == .unchanged)
    #expect(try world.code(.replace(try fields(1), expected(1))) == .unchanged)
    #expect(world.judge.revision.rawValue == 1)
  }

  @Test func deleteRestoreAndRecreateContinueTheVersions() throws {
    var world = try World()
    #expect(try world.code(.create(try fields(1))) == .applied)
    #expect(try world.code(.delete(expected(1))) == .applied)
    #expect(try world.code(.delete(expected(2))) == .unchanged)
    #expect(try world.code(.delete(expected(1))) == .conflict)
    #expect(try world.code(set(2, 2)) == .notFound)
    #expect(try world.code(.restore(expected(2))) == .applied)
    #expect(try world.code(.restore(expected(3))) == .unchanged)
    #expect(try world.code(.delete(expected(3))) == .applied)
    guard case .judged(let outcome, let change?, _) = try world.judge(.create(try fields(7))) else {
      throw RandomValues.Missing()
    }
    #expect(outcome.code == .applied && change.entity.version.rawValue == 5 && change.kind == .create)
    #expect(try world.code(.create(try fields(7))) == .alreadyExists)
    #expect(try world.code(.getOrCreate(try fields(9))) == .unchanged)
  }

  @Test func receiptsReplayAndGuardTheirContent() throws {
    var world = try World()
    #expect(try world.code(.create(try fields(1)), operation: 77) == .applied)
    guard case .replay(let receipt) = try world.judge(.create(try fields(1)), operation: 77) else { throw RandomValues.Missing() }
    #expect(receipt.code == .applied && receipt.version == .first)
    guard case .judged(let misuse, nil, nil) = try world.judge(.create(try fields(2)), operation: 77, content: 78) else {
      throw RandomValues.Missing()
    }
    #expect(misuse.code == .invalid && misuse.violations.first?.rule == "operation_id_reused")
  }

  @Test func receiptsBelongToOnePrincipal() throws {
    var world = try World()
    #expect(try world.code(.create(try fields(1)), operation: 77) == .applied)
    let other = Principal(name: try RandomValues.require(PrincipalName("night porter")), roleEverywhere: .writer)
    #expect(try world.code(.create(try fields(1)), operation: 77, by: other) == .alreadyExists)
  }

  @Test func receiptIsNotShownToWhoMayNoLongerWrite() throws {
    var world = try World()
    #expect(try world.code(.create(try fields(1)), operation: 77) == .applied)
    let demoted = Principal(name: world.writer.name, roleEverywhere: .reader)
    #expect(try world.code(.create(try fields(1)), operation: 77, by: demoted) == .forbidden)
  }

  @Test func createOverDeletedIsCreatedAnew() throws {
    var world = try World()
    #expect(try world.code(.create(try fields(1))) == .applied)
    #expect(try world.code(.delete(expected(1))) == .applied)
    let other = Principal(name: try RandomValues.require(PrincipalName("night porter")), roleEverywhere: .writer)
    guard case .judged(_, let restored?, _) = try world.judge(.restore(expected(2)), by: other) else {
      throw RandomValues.Missing()
    }
    #expect(restored.entity.created.by == world.writer.name && restored.entity.updated.by == other.name)
    #expect(try world.code(.delete(expected(3))) == .applied)
    guard case .judged(_, let made?, _) = try world.judge(.create(try fields(2)), by: other) else { throw RandomValues.Missing() }
    #expect(made.entity.created.by == other.name && made.previous.rawValue == 4)
  }

  /// An entity that is gone: version 2, at revision 4 of 9.
  private func gone(_ life: EntityLife, fence: UInt64) throws -> World {
    let empty = try World()
    let mark = Mark(at: Timestamp(rawValue: 1), by: empty.writer.name)
    let entity = Entity(
      key: empty.key, version: EntityVersion(rawValue: 2), revision: Revision(rawValue: 4), life: life, created: mark,
      updated: mark, fields: CanonicalFields(Fields()))
    return try World(fence: fence, entities: [empty.key: entity], revision: 9)
  }

  @Test func writesFromBeforeTheFenceToADeletedEntityArePurged() throws {
    var world = try gone(.deleted, fence: 3)
    #expect(try world.code(set(1, 1, revision: 3)) == .purged)
    #expect(try world.code(set(1, 1)) == .conflict)
    #expect(try world.code(.restore(expected(2, revision: 4))) == .applied)
    world = try gone(.deleted, fence: 2)
    #expect(try world.code(set(1, 1, revision: 3)) == .conflict)
    world = try gone(.alive, fence: 3)
    #expect(try world.code(set(1, 1, revision: 3)) == .conflict)
  }

  @Test func purgedEntityComesBackOnlyByCreate() throws {
    var world = try gone(.purged, fence: 0)
    #expect(try world.code(set(1, 2)) == .purged)
    #expect(try world.code(.restore(expected(2))) == .purged)
    #expect(try world.code(.delete(expected(2))) == .unchanged)
    guard case .judged(_, let made?, _) = try world.judge(.create(try fields(1))) else { throw RandomValues.Missing() }
    #expect(made.entity.version.rawValue == 3)
  }

  @Test func refusalsLeaveReceiptsExceptForbidden() throws {
    var world = try World()
    guard case .judged(_, nil, let kept?) = try world.judge(set(1, 1)) else { throw RandomValues.Missing() }
    #expect(kept.code == .notFound)
    let reader = Principal(name: world.writer.name, roleEverywhere: .reader)
    guard case .judged(let outcome, nil, nil) = try world.judge(set(1, 1), by: reader) else { throw RandomValues.Missing() }
    #expect(outcome.code == .forbidden && outcome.version == nil)
  }

  @Test func writesOlderThanTheReceiptFloorAreNotJudgedAgain() throws {
    var world = try World(receiptFloor: 10, revision: 20)
    #expect(try world.code(.create(try fields(1)), known: 9) == .receiptExpired)
    #expect(try world.code(.create(try fields(1)), known: 10) == .applied)
  }

  @Test func anotherEpochIsNamed() throws {
    var world = try World()
    #expect(try world.code(.create(try fields(1))) == .applied)
    #expect(try world.code(set(2, 1, epoch: Epoch(rawValue: Bytes16(high: 9, low: 9)))) == .epochChanged)
    #expect(try world.code(set(2, 1, epoch: world.epoch)) == .applied)
  }

  @Test func anotherEpochIsNamedAlsoWhereTheEntityIsUnknown() throws {
    var world = try World()
    let other = Epoch(rawValue: Bytes16(high: 9, low: 9))
    #expect(try world.code(set(2, 1, epoch: other)) == .epochChanged)
    #expect(try world.code(.replace(try fields(1), expected(1, epoch: other))) == .epochChanged)
    #expect(try world.code(.delete(expected(1, epoch: other))) == .epochChanged)
    #expect(try world.code(.restore(expected(1, epoch: other))) == .epochChanged)
    #expect(try world.code(.delete(expected(1, epoch: world.epoch))) == .notFound)
  }

  @Test func oversizeIsInvalid() throws {
    var world = try World()
    let large = try Fields([
      Field(try RandomValues.require(FieldPath("n")), .bytes([UInt8](repeating: 1, count: Limits.entityBytesMax)))
    ])
    #expect(try world.code(.create(large)) == .invalid)
  }

  @Test func damagedFieldsAreReportedNotJudged() throws {
    var world = try World()
    let mark = Mark(at: Timestamp(rawValue: 1), by: world.writer.name)
    let damaged = Entity(
      key: world.key, version: .first, revision: Revision(rawValue: 1), life: .alive, created: mark, updated: mark,
      fields: CanonicalFields(unchecked: [0x7A, 9]))
    world = try World(entities: [world.key: damaged], revision: 1)
    guard case .corrupt = try world.judge(set(1, 1)) else { throw RandomValues.Missing() }
  }
}

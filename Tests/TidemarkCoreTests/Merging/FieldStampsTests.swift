import Testing
import TidemarkCore
import TidemarkTesting

@Suite struct FieldStampsTests {
  private func stamps(_ random: inout SeededGenerator) throws -> FieldStamps {
    var stamps = FieldStamps()
    for _ in 0..<Int.random(in: 0...6, using: &random) { stamps[try RandomValues.name(&random)] = MergeCases.stamp(&random) }
    return stamps
  }

  @Test func encodingRoundTripsAndIsCanonical() throws {
    for seed in 0..<1_000 as Range<UInt64> {
      var random = SeededGenerator(seed: seed)
      let stamps = try stamps(&random)
      let decoded = try FieldStamps(decoding: stamps.encoded)
      #expect(decoded == stamps, "seed \(seed)")
      var rebuilt = FieldStamps()
      for entry in stamps.sorted.shuffled(using: &random) { rebuilt[entry.name] = entry.stamp }
      #expect(rebuilt.encoded == stamps.encoded, "seed \(seed)")
    }
  }

  @Test func damagedBytesAreATypedErrorOrOtherStampsAndNeverATrap() throws {
    for seed in 0..<2_000 as Range<UInt64> {
      var random = SeededGenerator(seed: seed)
      var bytes = try stamps(&random).encoded
      guard !bytes.isEmpty else { continue }
      bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
      bytes.removeLast(Int.random(in: 0...min(3, bytes.count), using: &random))
      do throws(CorruptFieldStamps) {
        // What decodes is canonical, so that no two encodings mean the same.
        let decoded = try FieldStamps(decoding: bytes)
        #expect(decoded.encoded == bytes, "seed \(seed)")
      } catch {
        #expect(error == CorruptFieldStamps())
      }
    }
    for bytes in [[1], [0], [2], [1, 0], [1, 255], [UInt8](repeating: 255, count: 40)] as [[UInt8]] {
      #expect(throws: CorruptFieldStamps.self) { try FieldStamps(decoding: bytes) }
    }
  }

  private func stamp(_ time: Int64, _ operation: UInt64) -> EditStamp {
    EditStamp(editedAt: Timestamp(rawValue: time), operation: OperationID(rawValue: Bytes16(high: 0, low: operation)))
  }

  /// A device whose clock stands in 2099 edits once; the next edit with a true clock wins.
  @Test func clockSetToTheFutureLocksNothing() throws {
    let (now, future) = (1_800_000_000_000_000 as Int64, 4_085_000_000_000_000 as Int64)
    let fromTheFuture = stamp(future, 9).clamped(to: Timestamp(rawValue: now))
    #expect(fromTheFuture == stamp(now, 9))
    #expect(stamp(now - 5, 1).clamped(to: Timestamp(rawValue: now)) == stamp(now - 5, 1))
    let later = stamp(now + 1, 1)
    let result = FieldMerge.merge(
      .lastWriter, base: .int(0), mine: .int(1), theirs: .int(2), mineStamp: later, theirsStamp: fromTheFuture)
    #expect(result == .value(.int(1)))
    let name = try RandomValues.require(FieldPath("a"))
    var stamps = FieldStamps()
    stamps.record(from: Fields(), to: try Fields([Field(name, .int(2))]), stamp: fromTheFuture) { _ in .lastWriter }
    stamps.record(from: try Fields([Field(name, .int(2))]), to: Fields(), stamp: stamp(now - 7, 1)) { _ in .lastWriter }
    #expect(stamps[name] == stamp(now + 1, 1))
  }

  @Test func editFollowsWhatItsWriterSaw() {
    #expect(stamp(5, 1).following(nil) == stamp(5, 1))
    #expect(stamp(5, 1).following(stamp(4, 9)) == stamp(5, 1))
    #expect(stamp(5, 1).following(stamp(5, 2)) == stamp(6, 1))
    #expect(stamp(5, 1).following(stamp(.max, 2)) == stamp(.max, 2))
    #expect(stamp(.max, 3).following(stamp(.max, 2)) == stamp(.max, 3))
  }

  @Test func mergingStampsKeepsTheLaterInAnyOrder() throws {
    for seed in 0..<500 as Range<UInt64> {
      var random = SeededGenerator(seed: seed)
      let (a, b, c) = (try stamps(&random), try stamps(&random), try stamps(&random))
      #expect(a.merged(with: b) == b.merged(with: a), "seed \(seed)")
      #expect(a.merged(with: b).merged(with: c) == a.merged(with: b.merged(with: c)), "seed \(seed)")
      #expect(a.merged(with: a) == a, "seed \(seed)")
    }
  }
}

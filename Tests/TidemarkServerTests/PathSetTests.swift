import Testing
import TidemarkCore
import TidemarkTesting

@testable import TidemarkServer

@Suite struct PathSetTests {
  @Test func itFindsWhatOverlapsAsComparingEachWithEachDoes() throws {
    var random = SeededGenerator(seed: 11)
    func path() throws -> FieldPath {
      let segments = (0..<1 + random.next() % 3).map { _ in ["a", "b", "ab", "_", "A1"][Int(random.next() % 5)] }
      return try #require(FieldPath(segments.joined(separator: ".")))
    }
    for _ in 0..<300 {
      let paths = Set(try (0..<random.next() % 8).map { _ in try path() })
      let set = PathSet(paths)
      for _ in 0..<20 {
        let one = try path()
        #expect(set.overlaps(one) == paths.contains { $0.overlaps(one) }, "\(one) in \(paths)")
      }
    }
  }
}

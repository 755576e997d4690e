/// Finds the lines that one side kept: a longest common subsequence, by the greedy algorithm of Myers ("An O(ND) Difference
/// Algorithm and Its Variations", 1986).
///
/// The path through the grid of old lines (x) and new lines (y) moves right for a removed line, down for an added one, and
/// diagonally for a kept one. `reach[k]` is the greatest x on the diagonal `x - y = k` after the edits so far.
struct LineMatch {
  private let old: ArraySlice<Int>
  private let new: ArraySlice<Int>
  /// Per round, what was reached before it on the diagonals `-round - 1 ... round + 1`.
  private var rounds: [[Int32]] = []

  /// For each old line the index of the new line it became; `nil` for a removed one. The indices rise.
  ///
  /// - Returns: `nil` when more than `MergeLimits.textEditsMax` edits or `MergeLimits.textStepsMax` steps are needed, or more steps
  ///   than are left.
  static func partners(of old: [Int], in new: [Int], budget: inout MergeBudget) -> [Int?]? {
    var start = 0
    while start < old.count, start < new.count, old[start] == new[start] { start += 1 }
    var (oldEnd, newEnd) = (old.count, new.count)
    while oldEnd > start, newEnd > start, old[oldEnd - 1] == new[newEnd - 1] { (oldEnd, newEnd) = (oldEnd - 1, newEnd - 1) }
    var partners = [Int?](repeating: nil, count: old.count)
    for index in 0..<start { partners[index] = index }
    for index in oldEnd..<old.count { partners[index] = index - oldEnd + newEnd }
    guard oldEnd > start, newEnd > start else {
      return oldEnd - start + newEnd - start <= MergeLimits.textEditsMax ? partners : nil
    }
    var match = LineMatch(old: old[start..<oldEnd], new: new[start..<newEnd])
    guard match.search(&budget) else { return nil }
    match.walkBack { partners[start + $0] = start + $1 }
    return partners
  }

  private init(old: ArraySlice<Int>, new: ArraySlice<Int>) {
    self.old = old
    self.new = new
  }

  /// Records rounds until the end of both is reached; false when a limit comes first.
  private mutating func search(_ budget: inout MergeBudget) -> Bool {
    let limit = Swift.min(old.count + new.count, MergeLimits.textEditsMax)
    guard abs(old.count - new.count) <= limit else { return false }
    var reach = [Int32](repeating: 0, count: 2 * limit + 3)
    let middle = limit + 1
    let stepsMax = min(MergeLimits.textStepsMax, budget.steps)
    var steps = 0
    defer { _ = budget.spend(steps) }
    for round in 0...limit {
      rounds.append(Array(reach[(middle - round - 1)...(middle + round + 1)]))
      for diagonal in stride(from: -round, through: round, by: 2) {
        let (below, above) = (reach[middle + diagonal - 1], reach[middle + diagonal + 1])
        let isDown = diagonal == -round || (diagonal != round && below < above)
        let start = Int(isDown ? above : below + 1)
        var x = start
        while x < old.count, x - diagonal < new.count, old[old.startIndex + x] == new[new.startIndex + x - diagonal] { x += 1 }
        reach[middle + diagonal] = Int32(truncatingIfNeeded: x)
        steps += x - start + 1
        if x >= old.count, x - diagonal >= new.count { return true }
      }
      if steps > stepsMax { return false }
    }
    return false
  }

  /// Names every kept line, the last first.
  private func walkBack(_ keep: (_ old: Int, _ new: Int) -> Void) {
    var (x, y) = (old.count, new.count)
    for round in stride(from: rounds.count - 1, to: 0, by: -1) {
      let reach = rounds[round]
      let diagonal = x - y
      let (below, above) = (reach[diagonal + round], reach[diagonal + round + 2])
      let isDown = diagonal == -round || (diagonal != round && below < above)
      let fromX = Int(isDown ? above : below)
      let fromY = fromX - (isDown ? diagonal + 1 : diagonal - 1)
      while x > fromX, y > fromY {
        (x, y) = (x - 1, y - 1)
        keep(x, y)
      }
      (x, y) = (fromX, fromY)
    }
    while x > 0, y > 0 {
      (x, y) = (x - 1, y - 1)
      keep(x, y)
    }
  }
}

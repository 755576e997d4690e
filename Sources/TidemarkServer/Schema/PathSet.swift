internal import TidemarkCore

/// Field paths that can be asked at once which others overlap one of them: each rule that an entity breaks is held against all of them.
struct PathSet: Sendable {
  private let sorted: [FieldPath]

  init(_ paths: Set<FieldPath>) { sorted = paths.sorted() }

  /// Whether one of the paths is this one, or lies above or below it.
  func overlaps(_ path: FieldPath) -> Bool {
    // What lies below a path follows right behind it.
    let index = position(of: path)
    if index < sorted.count, sorted[index] == path || path.isAbove(sorted[index]) { return true }
    let text = path.text
    return text.indices.contains { text[$0] == "." && FieldPath(String(text[..<$0])).map(contains) ?? false }
  }

  private func contains(_ path: FieldPath) -> Bool {
    let index = position(of: path)
    return index < sorted.count && sorted[index] == path
  }

  /// The index of the first path that does not sort before this one.
  private func position(of path: FieldPath) -> Int {
    var low = 0
    var high = sorted.count
    while low < high {
      let middle = (low + high) / 2
      if sorted[middle] < path { low = middle + 1 } else { high = middle }
    }
    return low
  }
}

import Foundation

/// Pages of program code that only the start needed.
///
/// Reading settings and opening the store runs through much code that is never run again, and the system maps the pages around it, too.
/// They stay counted as memory of the process until it needs them for something else.
enum StartPages {
  /// Takes the pages of all code out of the process. What runs again is mapped again from the page cache, without reading the disk.
  ///
  /// Only mappings that are never written are touched: their pages are those of the file. Does nothing where there is no `/proc`.
  static func release() {
    guard let maps = try? String(contentsOfFile: "/proc/self/maps", encoding: .utf8) else { return }
    for line in maps.split(separator: "\n") {
      let columns = line.split(separator: " ", omittingEmptySubsequences: true)
      guard columns.count >= 6, columns[1] == "r-xp", columns[5].hasPrefix("/") else { continue }
      let ends = columns[0].split(separator: "-").compactMap { UInt($0, radix: 16) }
      guard ends.count == 2, ends[0] < ends[1] else { continue }
      // Advice: when it is not taken, nothing is lost.
      _ = madvise(UnsafeMutableRawPointer(bitPattern: ends[0]), Int(ends[1] - ends[0]), MADV_DONTNEED)
    }
  }
}

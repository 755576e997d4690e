/// The memory that connections to one database share: SQLite's index of the write-ahead log, and its locks.
final class SharedIndex {
  private var regions: [UnsafeMutableRawPointer] = []
  private var regionBytes = 0
  /// For each connection the locks it holds, as bits.
  private var held: [ObjectIdentifier: (shared: UInt32, exclusive: UInt32)] = [:]

  deinit { for region in regions { region.deallocate() } }

  /// A region, zero at first; `nil` when it is not there and not to be made.
  func region(_ index: Int, bytes: Int, extends: Bool) -> UnsafeMutableRawPointer? {
    regionBytes = bytes
    while regions.count <= index {
      guard extends else { return nil }
      let region = UnsafeMutableRawPointer.allocate(byteCount: bytes, alignment: 16)
      region.initializeMemory(as: UInt8.self, repeating: 0, count: bytes)
      regions.append(region)
    }
    return regions[index]
  }

  /// Takes locks. False when another connection is in the way.
  func lock(_ mask: UInt32, isExclusive: Bool, for owner: AnyObject) -> Bool {
    let owner = ObjectIdentifier(owner)
    let isBusy = held.contains {
      $0.key != owner && ($0.value.exclusive & mask != 0 || isExclusive && $0.value.shared & mask != 0)
    }
    guard !isBusy else { return false }
    if isExclusive { held[owner, default: (0, 0)].exclusive |= mask } else { held[owner, default: (0, 0)].shared |= mask }
    return true
  }

  func unlock(_ mask: UInt32, for owner: AnyObject) {
    held[ObjectIdentifier(owner), default: (0, 0)].shared &= ~mask
    held[ObjectIdentifier(owner), default: (0, 0)].exclusive &= ~mask
  }

  func forget(_ owner: AnyObject) { held[ObjectIdentifier(owner)] = nil }
}

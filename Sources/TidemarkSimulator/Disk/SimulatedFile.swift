/// One file of a `SimulatedDisk`: what programs read from it, and what would be left of it without power.
final class SimulatedFile {
  /// A change that is not synced.
  enum Change {
    case write(offset: Int, bytes: [UInt8])
    case resize(Int)
  }

  /// What programs read.
  private(set) var content: [UInt8] = []
  /// What is safe.
  private var synced: [UInt8] = []
  /// What was done since, in order.
  private(set) var unsynced: [Change] = []
  /// Whether the file's name is safe, too.
  private(set) var isNameSynced = false

  init() {}

  init(left bytes: [UInt8]) {
    content = bytes
    synced = bytes
    isNameSynced = true
  }

  func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) {
    let change = Change.write(offset: offset, bytes: Array(bytes))
    SimulatedFile.apply(change, to: &content)
    unsynced.append(change)
  }

  func resize(_ size: Int) {
    SimulatedFile.apply(.resize(size), to: &content)
    unsynced.append(.resize(size))
  }

  func syncName() { isNameSynced = true }

  func sync() {
    isNameSynced = true
    guard !unsynced.isEmpty else { return }
    synced = content
    unsynced.removeAll(keepingCapacity: true)
  }

  /// What is left when the power goes: everything synced; of the rest nothing, all, all up to some change, or any of it, the
  /// writes torn at sectors or with garbage in one.
  func left(_ random: inout some RandomNumberGenerator) -> [UInt8] {
    var result = synced
    switch Int.random(in: 0..<5, using: &random) {
    case 0: break
    case 1: result = content
    case 2:
      for change in unsynced.prefix(Int.random(in: 0...unsynced.count, using: &random)) {
        SimulatedFile.apply(change, to: &result)
      }
    default:
      for change in unsynced where Bool.random(using: &random) {
        SimulatedFile.apply(SimulatedFile.torn(change, &random), to: &result)
      }
    }
    return result
  }

  private static let sectorBytes = 512

  /// Part of a write.
  private static func torn(_ change: Change, _ random: inout some RandomNumberGenerator) -> Change {
    guard case .write(let offset, var bytes) = change else { return change }
    switch Int.random(in: 0..<4, using: &random) {
    case 0: return .write(offset: offset, bytes: Array(bytes.prefix(Int.random(in: 0...bytes.count, using: &random))))
    case 1:
      let start = Int.random(in: 0..<max(bytes.count, 1), using: &random)
      for index in start..<min(start + sectorBytes, bytes.count) { bytes[index] = UInt8(truncatingIfNeeded: random.next()) }
      return .write(offset: offset, bytes: bytes)
    default: return change
    }
  }

  private static func apply(_ change: Change, to bytes: inout [UInt8]) {
    switch change {
    case .resize(let size):
      if size < bytes.count {
        bytes.removeLast(bytes.count - size)
      } else {
        bytes.append(contentsOf: repeatElement(0, count: size - bytes.count))
      }
    case .write(let offset, let new):
      if bytes.count < offset + new.count { apply(.resize(offset + new.count), to: &bytes) }
      bytes.withUnsafeMutableBytes { target in
        new.withUnsafeBytes { UnsafeMutableRawBufferPointer(rebasing: target[offset..<offset + new.count]).copyMemory(from: $0) }
      }
    }
  }
}

import Synchronization
import TidemarkClient
import TidemarkCore

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// Remembers which revisions of a space imports on this machine made, so that an import tells them from edits by people.
///
/// One line a revision in `$XDG_STATE_HOME/tidemark/imports/EPOCH`, written as soon as the server has answered. An epoch belongs to
/// one space and one history of it, so the file needs no address. What is lost here makes imports refuse more, never overwrite more.
final class ImportMemory: Sendable {
  private struct State {
    /// Sorted.
    var earlier: [UInt64] = []
    var now: Set<UInt64> = []
    var descriptor: Int32 = -1
    var isLoaded = false
  }

  private let folder: String?
  private let state = Mutex(State())

  /// - Parameter folder: where the files are; `nil` remembers nothing beyond this process.
  init(folder: String? = ImportMemory.defaultFolder) { self.folder = folder }

  deinit {
    let descriptor = state.withLock { $0.descriptor }
    if descriptor >= 0 { closeDescriptor(descriptor) }
  }

  /// The usual place: `nil` when neither XDG_STATE_HOME nor HOME is set.
  static var defaultFolder: String? {
    if let folder = Environment["XDG_STATE_HOME"], folder.hasPrefix("/") { return folder + "/tidemark/imports" }
    return Environment["HOME"].map { $0 + "/.local/state/tidemark/imports" }
  }

  /// Whether nobody but imports changed the entity since it was made.
  func holds(_ entity: Entity, epoch: Epoch) -> Bool {
    if entity.version == .first { return true }
    let revision = entity.revision.rawValue
    return state.withLock { state in
      load(&state, epoch)
      if state.now.contains(revision) { return true }
      var low = 0
      var high = state.earlier.count
      while low < high {
        let middle = (low + high) / 2
        if state.earlier[middle] < revision { low = middle + 1 } else { high = middle }
      }
      return low < state.earlier.count && state.earlier[low] == revision
    }
  }

  /// Notes a revision that an import made.
  func add(_ revision: Revision, epoch: Epoch) {
    state.withLock { state in
      load(&state, epoch)
      guard state.now.insert(revision.rawValue).inserted, state.descriptor >= 0 else { return }
      // One write, so that two imports at once do not mix their lines.
      let line = Array("\(revision.rawValue)\n".utf8)
      _ = write(state.descriptor, line, line.count)
    }
  }

  private func load(_ state: inout State, _ epoch: Epoch) {
    guard !state.isLoaded, let folder else { return }
    state.isLoaded = true
    guard (try? TextFile.makeFolder(folder)) != nil else { return }
    let path = "\(folder)/\(UUIDText.format(epoch.rawValue))"
    state.descriptor = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
    guard state.descriptor >= 0 else { return }
    var number: UInt64 = 0
    var isClean = true
    var piece = [UInt8](repeating: 0, count: 64 * 1024)
    while case let count = read(state.descriptor, &piece, piece.count), count > 0 {
      for byte in piece[..<count] {
        if byte == UInt8(ascii: "\n") {
          if isClean, number > 0 { state.earlier.append(number) }
          (number, isClean) = (0, true)
        } else if (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte), number < UInt64.max / 100 {
          number = number * 10 + UInt64(byte - UInt8(ascii: "0"))
        } else {
          isClean = false
        }
      }
    }
    state.earlier.sort()
  }
}

private func closeDescriptor(_ descriptor: Int32) { _ = close(descriptor) }

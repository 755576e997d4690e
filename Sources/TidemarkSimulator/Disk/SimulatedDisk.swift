internal import TidemarkTesting

/// A disk in memory that counts what changes it, and fails at a step that was chosen before.
///
/// Each write, change of size, sync, new file and deletion is one durable step. When the power goes, everything that was not synced is
/// at the mercy of the disk's own random numbers.
///
/// `@unchecked Sendable`: the simulator has one thread.
final class SimulatedDisk: @unchecked Sendable {
  /// What goes wrong.
  enum Fault: String {
    /// The machine stops. What was not synced may be lost.
    case powerLoss = "the power goes"
    /// The process stops. The machine keeps what was written.
    case kill = "the process is killed"
    /// One step fails, and nothing of it is done.
    case ioError = "a step fails with an I/O error"
    /// There is no more room until the fault is taken away.
    case full = "the disk is full"
  }

  /// What a step is told.
  enum Answer { case done, failed, full }

  private(set) var files: [String: SimulatedFile] = [:]
  /// Deleted files whose deletion is not synced: they may come back.
  private var deleted: [String: SimulatedFile] = [:]
  private var random: SeededGenerator
  /// How many durable steps were made.
  private(set) var steps = 0
  /// False after a power loss or kill, until `restart`: every access fails.
  private(set) var isRunning = true
  /// The fault that is to come, and at which step.
  private(set) var armed: (fault: Fault, step: Int)?
  /// The fault that came, where.
  private(set) var happened: (fault: Fault, place: String)?

  /// Whether a step failed since the process began: what it has written is in doubt then, and it may have stopped.
  private(set) var hasFailed = false
  /// Called with every step, if anybody wants to know.
  var onStep: ((String) -> Void)?

  init(seed: UInt64) { random = SeededGenerator(seed: seed) }

  /// Lets a fault come at a step from here, counted from 1.
  func arm(_ fault: Fault, inSteps count: Int) {
    armed = (fault, steps + count)
    happened = nil
  }

  /// Takes away a fault that is to come, or a full disk.
  func disarm() {
    armed = nil
    happened = nil
  }

  /// Starts again after a power loss or kill. All files must be closed.
  func restart() {
    if case .powerLoss? = happened?.fault { losePower() }
    isRunning = true
    disarm()
  }

  /// A process begins: it knows nothing of what failed before.
  func beginProcess() {
    if happened != nil { disarm() }
    hasFailed = false
  }

  private func losePower() {
    var left: [String: SimulatedFile] = [:]
    for name in Set(files.keys).union(deleted.keys).sorted() {
      if let file = files[name], file.isNameSynced || Bool.random(using: &random) {
        left[name] = SimulatedFile(left: file.left(&random))
      } else if let ghost = deleted[name], Bool.random(using: &random) {
        left[name] = SimulatedFile(left: ghost.left(&random))
      }
    }
    files = left
    deleted = [:]
  }

  // MARK: What programs do

  /// Counts a step, and tells whether it may be done.
  ///
  /// - Parameter halfway: does part of the step, when the machine stops in its middle.
  private func step(_ place: @autoclosure () -> String, halfway: () -> Void = {}) -> Answer {
    guard isRunning else { return .failed }
    steps += 1
    onStep?("step \(steps): \(place())")
    guard let armed, steps >= armed.step else { return .done }
    if happened == nil { happened = (armed.fault, "\(place()), step \(steps)") }
    switch armed.fault {
    case .powerLoss, .kill:
      if Bool.random(using: &random) { halfway() }
      isRunning = false
      self.armed = nil
      return .failed
    case .ioError:
      self.armed = nil
      hasFailed = true
      return .failed
    case .full: return .full
    }
  }

  /// A file by its name; made when it is asked for and missing.
  func open(_ name: String, creates: Bool) -> SimulatedFile? {
    guard isRunning else { return nil }
    if let file = files[name] { return file }
    // An empty file takes no room.
    guard creates, step("making \(name)") != .failed else { return nil }
    let file = SimulatedFile()
    files[name] = file
    return file
  }

  func write(_ bytes: UnsafeRawBufferPointer, to file: SimulatedFile, named name: String, at offset: Int) -> Answer {
    let answer = step("writing \(bytes.count) bytes at \(offset) of \(name)") {
      let half = UnsafeRawBufferPointer(rebasing: bytes.prefix(bytes.count / 2))
      file.write(half, at: offset)
    }
    if answer == .done { file.write(bytes, at: offset) }
    return answer
  }

  func resize(_ file: SimulatedFile, named name: String, to size: Int) -> Answer {
    let answer = step("cutting \(name) to \(size)") { file.resize(size) }
    if answer == .done { file.resize(size) }
    return answer
  }

  func sync(_ file: SimulatedFile, named name: String) -> Answer {
    let answer = step("syncing \(name)") { sync(file, name) }
    // Without room nothing can be written, but what is written can be synced.
    guard answer != .failed else { return .failed }
    sync(file, name)
    return .done
  }

  private func sync(_ file: SimulatedFile, _ name: String) {
    file.sync()
    deleted[name] = nil
  }

  /// Makes it durable which files there are.
  func syncFolder() -> Answer {
    let answer = step("syncing the folder")
    guard answer != .failed else { return .failed }
    deleted = [:]
    for file in files.values { file.syncName() }
    return .done
  }

  /// Deletes a file. `nil` when there is none.
  func delete(_ name: String, isSynced: Bool) -> Answer? {
    guard isRunning else { return .failed }
    guard files[name] != nil else { return nil }
    let answer = step("deleting \(name)")
    guard answer != .failed else { return .failed }
    if let file = files.removeValue(forKey: name), file.isNameSynced { deleted[name] = isSynced ? nil : file }
    return .done
  }
}

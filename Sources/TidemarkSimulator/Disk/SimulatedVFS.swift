internal import CTidemarkSQLite
internal import Glibc

/// A `SimulatedDisk` as a file system of SQLite's (https://www.sqlite.org/vfs.html). Registered as long as it lives, under a name of its own.
///
/// Used by one thread, and released after the last connection that uses it.
final class SimulatedVFS {
  let disk: SimulatedDisk
  let name: String
  /// How far a lock has gone, by file and connection: `SQLITE_LOCK_SHARED` and up.
  private var levels: [String: [ObjectIdentifier: Int32]] = [:]
  private var indexes: [String: (index: SharedIndex, users: Int)] = [:]
  private let vfs: UnsafeMutablePointer<sqlite3_vfs>
  private let methods: UnsafeMutablePointer<sqlite3_io_methods>
  private let cName: UnsafeMutablePointer<CChar>

  init(_ disk: SimulatedDisk) {
    self.disk = disk
    vfs = .allocate(capacity: 1)
    methods = .allocate(capacity: 1)
    methods.initialize(to: SimulatedVFS.ioMethods())
    // The address is nobody else's as long as this lives.
    name = "simulated-\(UInt(bitPattern: vfs))"
    cName = .allocate(capacity: name.utf8.count + 1)
    for (index, byte) in (Array(name.utf8) + [0]).enumerated() { cName[index] = CChar(bitPattern: byte) }
    vfs.initialize(to: SimulatedVFS.functions())
    vfs.pointee.zName = UnsafePointer(cName)
    vfs.pointee.pAppData = Unmanaged.passUnretained(self).toOpaque()
    sqlite3_vfs_register(vfs, 0)
  }

  deinit {
    sqlite3_vfs_unregister(vfs)
    vfs.deallocate()
    methods.deallocate()
    cName.deallocate()
  }

  // MARK: Files

  fileprivate func open(
    _ path: String?, _ record: UnsafeMutablePointer<OpenRecord>, _ flags: Int32, _ outFlags: UnsafeMutablePointer<Int32>?
  ) -> Int32 {
    record.pointee.base.pMethods = nil
    record.pointee.file = nil
    let isTemporary = path == nil || flags & SQLITE_OPEN_DELETEONCLOSE != 0
    let name = path ?? "temporary"
    let found = isTemporary ? SimulatedFile() : disk.open(name, creates: flags & SQLITE_OPEN_CREATE != 0)
    guard let found else { return disk.isRunning ? SQLITE_CANTOPEN : SQLITE_IOERR }
    let file = OpenFile(self, found, name, isTemporary: isTemporary)
    record.pointee.file = Unmanaged.passRetained(file)
    record.pointee.base.pMethods = UnsafePointer(methods)
    outFlags?.pointee = flags
    return SQLITE_OK
  }

  fileprivate func delete(_ name: String, isSynced: Bool) -> Int32 {
    guard let answer = disk.delete(name, isSynced: isSynced) else { return SQLITE_IOERR | (23 << 8) }
    return answer.code
  }

  // MARK: Locks

  /// Raises the lock of a connection. Only one connection is above shared; exclusive is alone.
  fileprivate func lock(_ file: OpenFile, _ level: Int32) -> Int32 {
    let mine = ObjectIdentifier(file)
    let others = (levels[file.name] ?? [:]).filter { $0.key != mine }.values
    let isBusy =
      switch level {
      case SQLITE_LOCK_SHARED: others.contains { $0 >= SQLITE_LOCK_PENDING }
      case SQLITE_LOCK_EXCLUSIVE: !others.isEmpty
      default: others.contains { $0 >= SQLITE_LOCK_RESERVED }
      }
    guard !isBusy else { return SQLITE_BUSY }
    levels[file.name, default: [:]][mine] = max(level, levels[file.name]?[mine] ?? 0)
    return SQLITE_OK
  }

  fileprivate func unlock(_ file: OpenFile, _ level: Int32) {
    levels[file.name]?[ObjectIdentifier(file)] = level == SQLITE_LOCK_NONE ? nil : level
  }

  fileprivate func isReserved(_ file: OpenFile) -> Bool {
    levels[file.name]?.values.contains { $0 >= SQLITE_LOCK_RESERVED } ?? false
  }

  // MARK: Shared memory

  fileprivate func index(of file: OpenFile) -> SharedIndex {
    if let index = file.index { return index }
    let index = indexes[file.name]?.index ?? SharedIndex()
    indexes[file.name] = (index, (indexes[file.name]?.users ?? 0) + 1)
    file.index = index
    return index
  }

  fileprivate func leaveIndex(_ file: OpenFile) {
    guard let index = file.index, let entry = indexes[file.name] else { return }
    index.forget(file)
    file.index = nil
    indexes[file.name] = entry.users > 1 ? (entry.index, entry.users - 1) : nil
  }
}

extension SimulatedDisk.Answer {
  fileprivate var code: Int32 {
    switch self {
    case .done: SQLITE_OK
    case .failed: SQLITE_IOERR
    case .full: SQLITE_FULL
    }
  }
}

/// An open file.
private final class OpenFile {
  let vfs: SimulatedVFS
  let file: SimulatedFile
  let name: String
  let isTemporary: Bool
  var index: SharedIndex?

  init(_ vfs: SimulatedVFS, _ file: SimulatedFile, _ name: String, isTemporary: Bool) {
    self.vfs = vfs
    self.file = file
    self.name = name
    self.isTemporary = isTemporary
  }

  func read(_ target: UnsafeMutableRawBufferPointer, at offset: Int) -> Int32 {
    guard vfs.disk.isRunning else { return SQLITE_IOERR }
    let count = min(max(file.content.count - offset, 0), target.count)
    if count > 0 {
      file.content.withUnsafeBytes { target.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[offset..<offset + count])) }
    }
    guard count < target.count else { return SQLITE_OK }
    UnsafeMutableRawBufferPointer(rebasing: target[count...]).initializeMemory(as: UInt8.self, repeating: 0)
    return SQLITE_IOERR | (2 << 8)
  }

  func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) -> Int32 {
    guard !isTemporary else {
      file.write(bytes, at: offset)
      return SQLITE_OK
    }
    return vfs.disk.write(bytes, to: file, named: name, at: offset).code
  }

  func resize(_ size: Int) -> Int32 {
    guard !isTemporary else {
      file.resize(size)
      return SQLITE_OK
    }
    return vfs.disk.resize(file, named: name, to: size).code
  }

  func sync() -> Int32 { isTemporary ? SQLITE_OK : vfs.disk.sync(file, named: name).code }
}

/// What SQLite keeps of an open file: its own part first.
private struct OpenRecord {
  var base: sqlite3_file
  var file: Unmanaged<OpenFile>?
}

private func opened(_ pointer: UnsafeMutablePointer<sqlite3_file>?) -> OpenFile? {
  guard let pointer else { return nil }
  return UnsafeMutableRawPointer(pointer).assumingMemoryBound(to: OpenRecord.self).pointee.file?.takeUnretainedValue()
}

private func simulated(_ pointer: UnsafeMutablePointer<sqlite3_vfs>?) -> SimulatedVFS? {
  pointer?.pointee.pAppData.map { Unmanaged<SimulatedVFS>.fromOpaque($0).takeUnretainedValue() }
}

// MARK: SQLite's tables of functions

extension SimulatedVFS {
  private static func functions() -> sqlite3_vfs {
    var vfs = sqlite3_vfs()
    vfs.iVersion = 2
    vfs.szOsFile = Int32(MemoryLayout<OpenRecord>.size)
    vfs.mxPathname = 512
    vfs.xOpen = { vfs, path, file, flags, outFlags in
      guard let vfs = simulated(vfs), let file else { return SQLITE_CANTOPEN }
      let record = UnsafeMutableRawPointer(file).assumingMemoryBound(to: OpenRecord.self)
      return vfs.open(path.map { String(cString: $0) }, record, flags, outFlags)
    }
    vfs.xDelete = { vfs, path, isSynced in
      guard let vfs = simulated(vfs), let path else { return SQLITE_IOERR }
      return vfs.delete(String(cString: path), isSynced: isSynced != 0)
    }
    vfs.xAccess = { vfs, path, _, result in
      guard let vfs = simulated(vfs), let path, vfs.disk.isRunning else { return SQLITE_IOERR }
      // As on Unix, an empty file is none.
      result?.pointee = vfs.disk.files[String(cString: path)].map { $0.content.isEmpty ? 0 : 1 } ?? 0
      return SQLITE_OK
    }
    vfs.xFullPathname = { _, path, count, target in
      guard let path, let target, strlen(path) < count else { return SQLITE_CANTOPEN }
      strcpy(target, path)
      return SQLITE_OK
    }
    vfs.xRandomness = { _, count, target in
      target?.initialize(repeating: 7, count: Int(count))
      return count
    }
    vfs.xSleep = { _, microseconds in microseconds }
    vfs.xCurrentTime = { _, now in
      now?.pointee = 2_461_000.5
      return SQLITE_OK
    }
    vfs.xCurrentTimeInt64 = { _, now in
      now?.pointee = 212_630_443_200_000
      return SQLITE_OK
    }
    vfs.xGetLastError = { _, _, _ in 0 }
    return vfs
  }

  private static func ioMethods() -> sqlite3_io_methods {
    var methods = sqlite3_io_methods()
    methods.iVersion = 2
    addFileFunctions(&methods)
    methods.xLock = { file, level in opened(file).map { $0.vfs.lock($0, level) } ?? SQLITE_IOERR }
    methods.xUnlock = { file, level in
      opened(file).map { $0.vfs.unlock($0, level) }
      return SQLITE_OK
    }
    methods.xCheckReservedLock = { file, result in
      result?.pointee = opened(file).map { $0.vfs.isReserved($0) } ?? false ? 1 : 0
      return SQLITE_OK
    }
    methods.xFileControl = { _, _, _ in SQLITE_NOTFOUND }
    methods.xSectorSize = { _ in 4096 }
    methods.xDeviceCharacteristics = { _ in SQLITE_IOCAP_POWERSAFE_OVERWRITE }
    methods.xShmMap = { file, index, bytes, extends, target in
      guard let file = opened(file), file.vfs.disk.isRunning else { return SQLITE_IOERR }
      target?.pointee = file.vfs.index(of: file).region(Int(index), bytes: Int(bytes), extends: extends != 0)
      return SQLITE_OK
    }
    methods.xShmLock = { file, offset, count, flags in
      guard let file = opened(file) else { return SQLITE_IOERR }
      let mask = ((UInt32(1) << UInt32(count)) - 1) << UInt32(offset)
      let index = file.vfs.index(of: file)
      if flags & SQLITE_SHM_UNLOCK != 0 {
        index.unlock(mask, for: file)
        return SQLITE_OK
      }
      return index.lock(mask, isExclusive: flags & SQLITE_SHM_EXCLUSIVE != 0, for: file) ? SQLITE_OK : SQLITE_BUSY
    }
    methods.xShmBarrier = { _ in }
    methods.xShmUnmap = { file, _ in
      opened(file).map { $0.vfs.leaveIndex($0) }
      return SQLITE_OK
    }
    return methods
  }

  private static func addFileFunctions(_ methods: inout sqlite3_io_methods) {
    methods.xClose = { file in
      guard let file, let open = opened(file) else { return SQLITE_OK }
      open.vfs.unlock(open, SQLITE_LOCK_NONE)
      open.vfs.leaveIndex(open)
      UnsafeMutableRawPointer(file).assumingMemoryBound(to: OpenRecord.self).pointee.file?.release()
      return SQLITE_OK
    }
    methods.xRead = { file, target, count, offset in
      guard let file = opened(file) else { return SQLITE_IOERR }
      return file.read(UnsafeMutableRawBufferPointer(start: target, count: Int(count)), at: Int(offset))
    }
    methods.xWrite = { file, bytes, count, offset in
      guard let file = opened(file) else { return SQLITE_IOERR }
      return file.write(UnsafeRawBufferPointer(start: bytes, count: Int(count)), at: Int(offset))
    }
    methods.xTruncate = { file, size in opened(file)?.resize(Int(size)) ?? SQLITE_IOERR }
    methods.xSync = { file, _ in opened(file)?.sync() ?? SQLITE_IOERR }
    methods.xFileSize = { file, size in
      guard let file = opened(file), file.vfs.disk.isRunning else { return SQLITE_IOERR }
      size?.pointee = Int64(file.file.content.count)
      return SQLITE_OK
    }
  }
}

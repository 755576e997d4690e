/// How a `SQLiteStore` uses memory and disk. The defaults fit a daemon.
public struct SQLiteStoreOptions: Sendable {
  /// The most memory the writer's page cache takes, in KiB. It is taken as pages are used.
  public var writerCacheKiB = 32 * 1024
  /// The most memory for entities that the writer keeps decoded, in KiB. It is taken as entities are written.
  public var entityCacheKiB = 16 * 1024
  /// The most memory the page cache of each reader takes, in KiB.
  public var readerCacheKiB = 2 * 1024
  /// The writer checkpoints after a commit that leaves this many pages (of 4 KiB) or more in the write-ahead log: 32 MiB.
  /// At twice as many it waits for the readers, so that the log does not grow without end while somebody always reads.
  public var walPagesMax = 8_192
  /// `idle` checkpoints when the write-ahead log has grown by this many pages: 4 MiB. Less is not worth two more fsyncs.
  public var walPagesIdle = 1_024
  /// How long a statement waits for a lock, in milliseconds. Only recovery after a crash takes one that others wait for.
  public var busyTimeoutMS: Int32 = 5_000
  /// Brings a store of an older format to the latest one on opening. When false, such a store is refused.
  public var migratesOnOpen = true

  /// The most pages the database may have (`PRAGMA max_page_count`): a disk that is full, for tests.
  var pagesMax: Int?

  /// What stands for the machine's disk, for simulations: the folder is only the beginning of the files' names then.
  package var disk: OtherDisk?

  public init() {}

  /// A disk that is not the machine's. Nobody else has it, so nothing is locked.
  package struct OtherDisk: Sendable {
    /// The name of a registered VFS (https://www.sqlite.org/vfs.html).
    var vfs: String
    /// Makes the names of files durable, as an fsync of their folder does.
    var syncFolder: @Sendable () throws -> Void

    package init(vfs: String, syncFolder: @escaping @Sendable () throws -> Void) {
      self.vfs = vfs
      self.syncFolder = syncFolder
    }
  }
}

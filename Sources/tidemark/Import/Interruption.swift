import Synchronization

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// Notes Ctrl-C, so that a long work can end in good order. A second Ctrl-C ends the process at once.
enum Interruption {
  private static let flag = Atomic(false)

  /// Begins to watch.
  static func watch() {
    // Made here, before the handler could ask for it: a signal handler must not initialise anything.
    flag.store(false, ordering: .relaxed)
    signal(SIGINT) { _ in
      if Interruption.flag.exchange(true, ordering: .relaxed) { _exit(130) }
    }
  }

  /// Whether Ctrl-C came.
  static var isRequested: Bool { flag.load(ordering: .relaxed) }
}

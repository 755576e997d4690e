// A load generator that is not the bottleneck: raw sockets and epoll, no NIO, no tasks. See docs/BENCHMARKS.md.
internal import Glibc
internal import TidemarkCore
internal import TidemarkWire

do {
  print(try Run(Options(Array(CommandLine.arguments.dropFirst()))).json())
} catch {
  let text = Array("tidemark-bench: \(error)\n".utf8)
  _ = text.withUnsafeBytes { write(2, $0.baseAddress, $0.count) }
  exit(1)
}

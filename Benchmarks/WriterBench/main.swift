// Durable updates through the store's writer alone: no network, no codec. See docs/BENCHMARKS.md.
internal import Glibc
internal import TidemarkCore
internal import TidemarkStore
internal import TidemarkStoreSQLite

do {
  let arguments = Array(CommandLine.arguments.dropFirst())
  let numbers = arguments.dropFirst().compactMap { Int($0) }
  guard let folder = arguments.first, numbers.count == 4, arguments.count == 5, numbers.allSatisfy({ $0 > 0 }) else {
    throw WriterBenchError(
      """
      usage: writer-bench FOLDER ITEMS REQUESTS UPDATES ENTITIES
        Updates of ENTITIES random entities in a new store, in transactions of REQUESTS requests with ITEMS items each.
        Prints updates/s.
      """)
  }
  let bench = try WriterBench(folder: folder, itemsPerRequest: numbers[0], requestsPerCommit: numbers[1], entities: numbers[3])
  print("\(Int(try bench.run(updates: numbers[2]))) updates/s")
} catch {
  let text = Array("writer-bench: \(error)\n".utf8)
  _ = text.withUnsafeBytes { write(2, $0.baseAddress, $0.count) }
  exit(1)
}

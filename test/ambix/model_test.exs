defmodule Ambix.ModelTest do
  use ExUnit.Case, async: true

  alias Ambix.{EmbeddingCache, Error, Index, Job, Model, Models}

  @moduletag skip: Ambix.Test.Needs.models(["SmolLM2-135M-Instruct", "all-MiniLM-L6-v2"])

  # One model for all tests of this module: loading it is the longest part.
  setup_all do
    {:ok, path} = Models.path("SmolLM2-135M-Instruct")
    {:ok, model} = Model.load(path)
    {:ok, folder} = Models.path("all-MiniLM-L6-v2")
    {:ok, encoder} = Model.load_encoder(folder)
    %{model: model, encoder: encoder, path: path, folder: folder}
  end

  test "says what it is", %{model: model, encoder: encoder} do
    assert {:ok, %{architecture: "llama", vocabulary: 49_152, context_length: 8192}} = Model.info(model)
    assert inspect(model) == "#Ambix.Model<SmolLM2-135M-Instruct>"
    assert inspect(encoder) == "#Ambix.Model.Encoder<all-MiniLM-L6-v2, 384 dimensions>"
  end

  test "the same prompt and seed give the same answer", %{model: model} do
    {:ok, greedy} = Model.generate(model, "Name a fruit.", max_tokens: 8)
    assert {:ok, %{text: text, tokens: tokens}} = Model.generate(model, "Name a fruit.", max_tokens: 8)
    assert text == greedy.text and tokens in 1..8

    opts = [max_tokens: 8, temperature: 1.5, seed: 7]
    {:ok, one} = Model.generate(model, "Name a fruit.", opts)
    {:ok, two} = Model.generate(model, "Name a fruit.", opts)
    assert one.text == two.text

    others =
      for seed <- 1..4,
          do: elem(Model.generate(model, "Name a fruit.", Keyword.put(opts, :seed, seed)), 1).text

    assert Enum.any?(others, &(&1 != one.text))
  end

  test "a stream is the answer in pieces", %{model: model} do
    {:ok, whole} = Model.generate(model, "Count to five.", max_tokens: 12)
    events = model |> Model.stream("Count to five.", max_tokens: 12) |> Enum.to_list()
    assert {:done, %{tokens: tokens}} = List.last(events)
    assert tokens == whole.tokens

    assert Enum.map_join(events, fn event -> if match?({:text, _}, event), do: elem(event, 1), else: "" end) ==
             whole.text
  end

  test "whoever stops reading a stream stops the model and finds nothing in the mailbox", %{model: model} do
    assert [{:text, _}] = model |> Model.stream("Tell a long story.", max_tokens: 4000) |> Enum.take(1)
    refute_received _
  end

  # The time of ExUnit ends a stream that waits for what never comes.
  @tag timeout: 60_000
  test "a stream ends with the error that ends the answer, whenever it comes", %{model: model} do
    long = String.duplicate("word ", 9000)
    assert_raise Error, ~r/a session of/, fn -> model |> Model.stream(long) |> Enum.to_list() end
    refute_received _

    # In the middle of the answer.
    late = Model.stream(model, "Tell a long story.", max_tokens: 4000, timeout: 300)
    assert_raise Error, ~r/time/, fn -> Enum.to_list(late) end
    refute_received _

    # One that cannot even begin.
    assert_raise Error, ~r/a prompt is a text/, fn ->
      model |> Model.stream({:no, :prompt}) |> Enum.to_list()
    end

    assert_raise ArgumentError, ~r/:max_tokens/, fn -> Model.stream(model, "x", max_tokens: 0) end
  end

  test "a stream goes on without the process that loaded the model", %{path: path} do
    loaded = Task.async(fn -> Model.load(path) end)
    {:ok, model} = Task.await(loaded, 60_000)
    assert {:done, _} = model |> Model.stream("Name a fruit.", max_tokens: 4) |> Enum.to_list() |> List.last()
  end

  test "an answer says why it ended", %{model: model} do
    assert {:ok, %{finish_reason: "length"}} = Model.generate(model, "Tell a long story.", max_tokens: 2)
    assert {:ok, %{finish_reason: "stop"}} = Model.generate(model, "1 2 3 4 5 6", raw: true, stop: [" "])
    assert {:ok, %{finish_reason: "end_of_text"}} = Model.generate(model, "Say only: yes", max_tokens: 400)
  end

  test "no more threads compute than there are cores", %{path: path} do
    threads = fn -> length(File.ls!("/proc/self/task")) end
    before = threads.()
    {:ok, model} = Model.load(path, threads: 300)
    assert {:ok, _} = Model.generate(model, "Name a fruit.", max_tokens: 2)
    # Those of the model, and what other tests start meanwhile.
    assert threads.() - before < System.schedulers_online() + 60
    assert_raise ArgumentError, ~r/from 1 to 1024/, fn -> Model.load(path, threads: 0x1_0000_0000) end
  end

  test "stop texts end the answer and are not part of it", %{model: model} do
    {:ok, all} = Model.generate(model, "1 2 3 4 5 6", raw: true, max_tokens: 12)
    assert all.text =~ "9"
    {:ok, cut} = Model.generate(model, "1 2 3 4 5 6", raw: true, max_tokens: 12, stop: ["9"])
    assert cut.finish_reason == "stop"
    assert String.starts_with?(all.text, cut.text)
    refute cut.text =~ "9"
  end

  test "a generation can be cancelled, and ends with its time", %{model: model} do
    {:ok, job} = Model.start(model, "Tell a long story.", max_tokens: 4000)
    Job.cancel(job)
    assert {:error, %Error{kind: :cancelled}} = Job.await(job)

    assert {:error, %Error{kind: :timeout}} =
             Model.generate(model, "Tell a long story.", max_tokens: 4000, timeout: 1)
  end

  test "likely continuations score higher", %{model: model} do
    {:ok, [paris, banana]} = Model.score(model, "The capital of France is", [" Paris", " banana"])
    assert paris.logprob > banana.logprob
    assert paris.tokens >= 1
  end

  test "counts tokens as it generates them", %{model: model} do
    assert {:ok, 0} = Model.count_tokens(model, "")
    assert {:ok, n} = Model.count_tokens(model, "def add(a, b), do: a + b")
    assert n in 8..16
  end

  test "takes names of control tokens for text", %{model: model} do
    {:ok, one} = Model.count_tokens(model, "x")
    {:ok, more} = Model.count_tokens(model, "x<|im_end|>")
    assert more > one + 1
    talk = fn content -> [%{role: "user", content: content}] end
    {:ok, plain} = Model.generate(model, talk.("x"), max_tokens: 1)
    {:ok, hostile} = Model.generate(model, talk.("x<|im_end|>"), max_tokens: 1)
    assert hostile.prompt_tokens > plain.prompt_tokens + 1
  end

  test "options out of range are errors", %{model: model} do
    assert {:error, %Error{kind: :invalid_argument}} = Model.generate(model, "x", temperature: -1)
    assert {:error, %Error{kind: :invalid_argument}} = Model.generate(model, "x", stop: [""])
    assert {:error, %Error{}} = Model.generate(model, "", raw: true)

    assert {:error, %Error{message: "a session of" <> _}} =
             Model.generate(model, String.duplicate("word ", 9000), max_tokens: 1)
  end

  test "like texts have like vectors", %{encoder: encoder} do
    {:ok, [a, b, c]} =
      Model.embed(encoder, ["the price of a cart", "what a shopping cart costs", "volcanoes in Iceland"])

    dot = fn x, y -> Enum.zip_with(x, y, &(&1 * &2)) |> Enum.sum() end
    assert_in_delta dot.(a, a), 1.0, 1.0e-4
    assert dot.(a, b) > dot.(a, c) + 0.2
    assert {:ok, []} = Model.embed(encoder, [])
    assert_raise ArgumentError, ~r/add {:nx, "~> 0.6"}/, fn -> Model.embed(encoder, ["a"], as: :tensor) end
    assert_raise ArgumentError, ~r/:as/, fn -> Model.embed(encoder, ["a"], as: :matrix) end
  end

  test "vectors are a tensor for a host that has Nx", %{encoder: encoder} do
    Code.compile_quoted(
      quote do
        defmodule Nx do
          def from_binary(data, type), do: {data, type}
          def reshape({data, type}, shape), do: {data, type, shape}
        end
      end
    )

    on_exit(fn ->
      :code.purge(Nx)
      :code.delete(Nx)
      :persistent_term.erase({Ambix.Optional, Nx})
    end)

    texts = ["the price of a cart", "volcanoes in Iceland"]
    {:ok, {data, {:f, 32}, {2, 384}}} = Model.embed(encoder, texts, as: :tensor)
    {:ok, lists} = Model.embed(encoder, texts)
    assert for(<<number::float-32-native <- data>>, do: number) == List.flatten(lists)
    assert {:ok, {"", {:f, 32}, {0, 384}}} = Model.embed(encoder, [], as: :tensor)
  end

  @tag :tmp_dir
  test "vectors fill in behind the words, and answers say so", %{encoder: encoder, tmp_dir: dir} do
    File.write!(Path.join(dir, "a.ex"), "defmodule Oven do\n  def bake(bread), do: {:hot, bread}\nend\n")
    File.write!(Path.join(dir, "b.ex"), "defmodule Ship do\n  def sail(sea), do: {:wet, sea}\nend\n")
    {:ok, index} = Index.build(dir)
    # Before the first vector the encoder has nothing to compare with.
    {:ok, before} = Index.search(index, "bread", encoder: encoder)
    assert %{semantic: true} = before.made_from

    {:ok, job} = Index.embed(index, encoder, async: true)
    {:ok, %{chunks: chunks}} = Index.info(index)
    assert Job.await(job) == {:ok, chunks}
    {:ok, answer} = Index.search(index, "kitchen appliance for loaves", encoder: encoder, mode: :semantic)
    assert %{semantic: true, vectors: ^chunks, chunks: ^chunks} = answer.made_from
    assert hd(answer.results).symbol =~ "Oven"

    file = Path.join(dir, "index.ambix")
    :ok = Index.save(index, file)
    {:ok, opened} = Index.open(file)
    assert Index.search(opened, "sea", encoder: encoder) == Index.search(index, "sea", encoder: encoder)
    assert {:ok, 0} = Index.embed(opened, encoder)
  end

  test "an encoder in INT8 says nearly the same, under another name", %{encoder: encoder, folder: folder} do
    {:ok, bytes} = Model.load_encoder(folder, precision: :int8)
    texts = ["the price of a cart", "def sum(a, b), do: a + b", String.duplicate("volcanoes in Iceland ", 40)]
    {:ok, floats} = Model.embed(encoder, texts)
    {:ok, rounded} = Model.embed(bytes, texts)

    for {a, b} <- Enum.zip(floats, rounded) do
      assert Enum.zip_with(a, b, &(&1 * &2)) |> Enum.sum() > 0.98
    end

    assert_raise ArgumentError, ~r/:precision/, fn -> Model.load_encoder(folder, precision: :int4) end
    assert {:error, %Error{kind: :limit}} = Model.load_encoder(folder, max_bytes: 50_000_000)
    assert {:ok, _} = Model.load_encoder(folder, max_bytes: 50_000_000, precision: :int8)
  end

  @tag :tmp_dir
  test "a model or an encoder judges the best places once more", %{
    model: model,
    encoder: encoder,
    tmp_dir: dir
  } do
    File.write!(Path.join(dir, "oven.ex"), "defmodule Oven do\n  def bake(bread), do: {:hot, bread}\nend\n")
    File.write!(Path.join(dir, "ship.ex"), "defmodule Ship do\n  def sail(sea), do: {:wet, sea}\nend\n")
    {:ok, index} = Index.build(dir)
    question = "kitchen appliance for loaves"
    {:ok, plain} = Index.search(index, question)

    for judge <- [model, encoder] do
      {:ok, answer} = Index.search(index, question, rerank: judge)

      assert Enum.sort(Enum.map(answer.results, & &1.symbol)) ==
               Enum.sort(Enum.map(plain.results, & &1.symbol))

      assert Map.delete(answer, :results) == Map.delete(plain, :results)

      for result <- answer.results do
        assert Enum.any?(result.features, &(&1.name == "reranked" and &1.value != 0.0))
      end
    end

    {:ok, %{results: [best | _]}} = Index.search(index, question, rerank: encoder)
    assert best.symbol =~ "Oven"
    assert {:ok, %{results: [_]}} = Index.search(index, question, rerank: encoder, limit: 1)
    assert_raise ArgumentError, ~r/:rerank/, fn -> Index.search(index, question, rerank: :best) end
    assert {:error, %Error{kind: :invalid_argument}} = Index.search(index, " ", rerank: encoder)
  end

  @tag :tmp_dir
  test "what two indexes have in common is encoded once", %{folder: folder, tmp_dir: dir} do
    {:ok, cache} = EmbeddingCache.open(path: Path.join(dir, "embeddings"))
    {:ok, encoder} = Model.load_encoder(folder, cache: cache)

    [main, branch] =
      for name <- ["main", "branch"] do
        root = Path.join(dir, name)
        File.mkdir_p!(root)
        File.write!(Path.join(root, "a.ex"), "defmodule Oven do\n  def bake(bread), do: {:hot, bread}\nend\n")
        root
      end

    File.write!(Path.join(branch, "b.ex"), "defmodule Ship do\n  def sail(sea), do: {:wet, sea}\nend\n")
    {:ok, one} = Index.build(main)
    {:ok, two} = Index.build(branch)
    {:ok, common} = Index.embed(one, encoder)
    assert {:ok, %{hits: 0, misses: ^common, entries: ^common}} = EmbeddingCache.stats(cache)
    {:ok, all} = Index.embed(two, encoder)
    missed = all - common
    assert {:ok, %{hits: ^common, entries: ^all, file_error: nil}} = EmbeddingCache.stats(cache)
    assert missed > 0

    # The vectors are those that the encoder makes.
    {:ok, plain} = Index.build(branch)
    {:ok, ^all} = Index.embed(plain, %{encoder | cache: nil})
    search = &Index.search(&1, "kitchen appliance for loaves", encoder: encoder, mode: :semantic)
    {:ok, cached} = search.(two)
    {:ok, made} = search.(plain)
    assert Enum.map(cached.results, & &1.score) == Enum.map(made.results, & &1.score)
  end

  @tag :tmp_dir
  test "files that hold no model are errors", %{tmp_dir: dir, path: path} do
    gguf = Path.join(dir, "model.gguf")
    whole = File.open!(path, [:read, :binary], &IO.binread(&1, 2_000_000))
    absurd = <<"GGUF", 3::little-32, 0xFFFFFFFFFFFF::little-64, 0xFFFFFFFFFFFF::little-64>>

    for {content, kinds} <- [
          {"", [:corrupt]},
          {"no model at all", [:corrupt]},
          {absurd, [:corrupt, :limit]},
          {<<"GGUF", 99::little-32>> <> whole, [:version, :corrupt]},
          {whole, [:corrupt]},
          {binary_part(whole, 0, 1000), [:corrupt]}
        ] do
      File.write!(gguf, content)
      assert {:error, %Error{kind: kind, message: message}} = Model.load(gguf)
      assert kind in kinds, "#{kind}: #{message}"
    end

    assert {:error, %Error{kind: :not_found}} = Model.load(Path.join(dir, "none.gguf"))
    assert {:error, %Error{kind: :limit}} = Model.load(path, max_bytes: 1000)
    assert {:error, %Error{kind: :not_found}} = Model.load_encoder(dir)
    assert {:error, %Error{}} = Model.load(path, device: :cuda)
  end
end

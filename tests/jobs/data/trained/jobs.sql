-- Two jobs of revision 6797eb0 over images/: "mixed" (layer-wise) is trained, "grown" was stopped at step 115 of 208, after it grew.
-- NAME.safetensors are their checkpoints then; NAME-model is network 1-3 of each, extracted by that revision at the end
-- of the training. sqlite3 jobs.db .dump, with the marks that a dump leaves out. It never changes.
PRAGMA application_id = 0x4d6f7361;
PRAGMA user_version = 3;
BEGIN TRANSACTION;
CREATE TABLE architectures (
  id INTEGER PRIMARY KEY,
  space_hash TEXT NOT NULL,
  arch TEXT NOT NULL,
  hash TEXT NOT NULL,
  UNIQUE (space_hash, arch)
);
CREATE TABLE blocks (
  id INTEGER PRIMARY KEY,
  series INTEGER NOT NULL REFERENCES series(id) ON DELETE CASCADE,
  number INTEGER NOT NULL,
  content BLOB NOT NULL,
  UNIQUE (series, number)
);
CREATE TABLE constraints (
  job INTEGER NOT NULL REFERENCES jobs(id) ON DELETE CASCADE,
  position INTEGER NOT NULL,
  metric TEXT NOT NULL,
  relation TEXT NOT NULL CHECK (relation IN ('<=', '>=')),
  bound REAL NOT NULL,
  PRIMARY KEY (job, position)
) WITHOUT ROWID;
CREATE TABLE evaluations (
  job INTEGER NOT NULL REFERENCES jobs(id) ON DELETE CASCADE,
  number INTEGER NOT NULL,
  architecture INTEGER NOT NULL REFERENCES architectures(id),
  created TEXT NOT NULL, known INTEGER,
  PRIMARY KEY (job, number),
  UNIQUE (job, architecture)
) WITHOUT ROWID;
CREATE TABLE generation_front (
  job INTEGER NOT NULL,
  generation INTEGER NOT NULL,
  position INTEGER NOT NULL,
  architecture INTEGER NOT NULL REFERENCES architectures(id),
  PRIMARY KEY (job, generation, position),
  FOREIGN KEY (job, generation) REFERENCES generations(job, number) ON DELETE CASCADE
) WITHOUT ROWID;
CREATE TABLE generations (
  job INTEGER NOT NULL REFERENCES jobs(id) ON DELETE CASCADE,
  number INTEGER NOT NULL,
  evaluations INTEGER NOT NULL,
  hypervolume REAL,
  created TEXT NOT NULL,
  PRIMARY KEY (job, number)
) WITHOUT ROWID;
CREATE TABLE jobs (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  status TEXT NOT NULL,
  phase TEXT NOT NULL,
  message TEXT NOT NULL,
  config TEXT NOT NULL,
  config_hash TEXT NOT NULL,
  config_path TEXT NOT NULL,
  seed TEXT NOT NULL,
  space TEXT NOT NULL,
  space_hash TEXT NOT NULL,
  task TEXT NOT NULL,
  data_checksum TEXT NOT NULL,
  device TEXT NOT NULL,
  threads INTEGER NOT NULL,
  version TEXT NOT NULL,
  revision TEXT NOT NULL,
  libraries TEXT NOT NULL,
  folder TEXT NOT NULL,
  created TEXT NOT NULL,
  updated TEXT NOT NULL
);
INSERT INTO "jobs" VALUES(1,'mixed','finished','train','','[job]
name = "mixed"
seed = 3
device = "cpu"
threads = 1
[space]
name = "resnet-pooling"
layers = 4
poolings = 1
width = 2
[task]
name = "image-folder"
path = "images"
image_size = 8
validation = 0.25
[supernet]
router = "layer-wise"
experts = 2
router_hidden = 4
epochs = 2
batch_size = 8
[[objective]]
metric = "accuracy"
[[objective]]
metric = "flops"
[search]
algorithm = "random"
population = 4
evaluations = 4
','a4eff0463ae2babeed6c08196dea7189','/tmp/former/mixed.toml','3','resnet-pooling','71c130d84d664423ad681287e0b48f15','image-folder','50514ac91a7dc526268f32731bc4e83d','cpu: Intel(R) Xeon(R) Processor (1 threads)',1,'0.1.0','6797eb004490','libtorch 2.11.0, pagmo 2.18.0','/tmp/former/former-files/mixed','2026-11-29T10:18:02Z','2026-11-29T10:18:03Z');
INSERT INTO "jobs" VALUES(2,'grown','interrupted','train','','[job]
name = "grown"
seed = 3
device = "cpu"
threads = 1
[space]
name = "resnet-pooling"
layers = 4
poolings = 1
width = 2
[task]
name = "image-folder"
path = "images"
image_size = 8
validation = 0.25
[supernet]
router = "grown"
budget = 2.0
grow_at = [0.3, 0.45]
epochs = 200
checkpoint_minutes = 0.01
batch_size = 8
[[objective]]
metric = "accuracy"
[[objective]]
metric = "flops"
[search]
algorithm = "random"
population = 4
evaluations = 4
','d2f7ec50ccd73367bd7d4c68a4f4eb9e','/tmp/former/grown.toml','3','resnet-pooling','71c130d84d664423ad681287e0b48f15','image-folder','50514ac91a7dc526268f32731bc4e83d','cpu: Intel(R) Xeon(R) Processor (1 threads)',1,'0.1.0','6797eb004490','libtorch 2.11.0, pagmo 2.18.0','/tmp/former/former-files/grown','2026-11-29T10:18:03Z','2026-11-29T10:18:07Z');
CREATE TABLE measurements (
  id INTEGER PRIMARY KEY,
  job INTEGER NOT NULL REFERENCES jobs(id) ON DELETE CASCADE,
  architecture INTEGER NOT NULL REFERENCES architectures(id),
  metric TEXT NOT NULL,
  value REAL,
  unit TEXT NOT NULL,
  standard_error REAL,
  fidelity TEXT NOT NULL,
  seed TEXT NOT NULL,
  seconds REAL,
  device TEXT NOT NULL,
  status TEXT NOT NULL CHECK (status IN ('ok', 'failed')),
  message TEXT NOT NULL,
  created TEXT NOT NULL
, session INTEGER REFERENCES sessions(id));
CREATE TABLE members (
  job INTEGER NOT NULL REFERENCES jobs(id) ON DELETE CASCADE,
  place INTEGER NOT NULL,
  architecture INTEGER NOT NULL REFERENCES architectures(id),
  replaced INTEGER NOT NULL,
  PRIMARY KEY (job, place),
  UNIQUE (job, architecture)
) WITHOUT ROWID;
CREATE TABLE objectives (
  job INTEGER NOT NULL REFERENCES jobs(id) ON DELETE CASCADE,
  position INTEGER NOT NULL,
  metric TEXT NOT NULL,
  goal TEXT NOT NULL CHECK (goal IN ('min', 'max')),
  PRIMARY KEY (job, position)
) WITHOUT ROWID;
INSERT INTO "objectives" VALUES(1,0,'accuracy','max');
INSERT INTO "objectives" VALUES(1,1,'flops','min');
INSERT INTO "objectives" VALUES(2,0,'accuracy','max');
INSERT INTO "objectives" VALUES(2,1,'flops','min');
CREATE TABLE predictions (
  id INTEGER PRIMARY KEY,
  job INTEGER NOT NULL REFERENCES jobs(id) ON DELETE CASCADE,
  architecture INTEGER NOT NULL REFERENCES architectures(id),
  metric TEXT NOT NULL,
  mean REAL,
  deviation REAL,
  predictor TEXT NOT NULL,
  created TEXT NOT NULL, session INTEGER REFERENCES sessions(id),
  UNIQUE (job, architecture, metric, predictor)
);
CREATE TABLE series (
  id INTEGER PRIMARY KEY,
  job INTEGER NOT NULL REFERENCES jobs(id) ON DELETE CASCADE,
  metric TEXT NOT NULL,
  UNIQUE (job, metric)
);
CREATE TABLE sessions (
  id INTEGER PRIMARY KEY,
  job INTEGER NOT NULL REFERENCES jobs(id) ON DELETE CASCADE,
  version TEXT NOT NULL,
  revision TEXT NOT NULL,
  libraries TEXT NOT NULL,
  device TEXT NOT NULL,
  threads INTEGER NOT NULL,
  data_checksum TEXT NOT NULL,
  process INTEGER NOT NULL,
  created TEXT NOT NULL
);
CREATE TABLE states (
  job INTEGER NOT NULL REFERENCES jobs(id) ON DELETE CASCADE,
  phase TEXT NOT NULL,
  state BLOB NOT NULL,
  updated TEXT NOT NULL,
  PRIMARY KEY (job, phase)
);
INSERT INTO "states" VALUES(1,'goal',X'747261696E','2026-11-29T10:18:02Z');
INSERT INTO "states" VALUES(1,'trained',X'3230623838376636363830663432643061646164333864356661396436303234','2026-11-29T10:18:03Z');
INSERT INTO "states" VALUES(2,'goal',X'747261696E','2026-11-29T10:18:03Z');
CREATE TABLE training (
  job INTEGER NOT NULL REFERENCES jobs(id) ON DELETE CASCADE,
  step INTEGER NOT NULL,
  epoch REAL,
  loss REAL,
  accuracy REAL,
  learning_rate REAL,
  images_per_second REAL,
  PRIMARY KEY (job, step)
) WITHOUT ROWID;
INSERT INTO "training" VALUES(1,1,0.5,7.66536712646484375e-01,37.5,0.1,9.43530857586990578077e+02);
INSERT INTO "training" VALUES(1,2,1.0,5.92948436737060546875e-01,37.5,0.1,1.02371761773232469749e+03);
INSERT INTO "training" VALUES(1,3,1.5,4.08507585525512695312e-01,62.5,7.50000000000000111022e-02,4.85298076751589348978e+02);
INSERT INTO "training" VALUES(1,4,2.0,3.34813952445983886718e-01,100.0,2.50000000000000117961e-02,1.00418720961730184625e+03);
INSERT INTO "training" VALUES(2,1,0.5,7.25182414054870605468e-01,37.5,9.09090909090909220224e-03,2.0067320844603432307e+03);
INSERT INTO "training" VALUES(2,2,1.0,0.62444007396698,37.5,1.81818181818181844044e-02,2.42872452495666220784e+03);
INSERT INTO "training" VALUES(2,3,1.5,5.37662088871002197265e-01,62.5,2.72727272727272783414e-02,4.51530717352494832556e+02);
INSERT INTO "training" VALUES(2,4,2.0,4.4983538985252380371e-01,87.5,3.63636363636363688089e-02,1.04553077415280631608e+03);
INSERT INTO "training" VALUES(2,5,2.5,4.09106463193893432617e-01,100.0,4.5454545454545455807e-02,7.02397757665398444256e+02);
INSERT INTO "training" VALUES(2,6,3.0,1.31036207079887390136e-01,100.0,5.45454545454545566829e-02,1.00192971663423747942e+03);
INSERT INTO "training" VALUES(2,7,3.5,1.26316726207733154296e-01,100.0,6.3636363636363643681e-02,3.28681747078245280126e+02);
INSERT INTO "training" VALUES(2,8,4.0,2.05888897180557250976e-01,100.0,7.27272727272727376179e-02,2.4344871889676346654e+03);
INSERT INTO "training" VALUES(2,9,4.5,1.5276457369327545166e-01,100.0,8.18181818181818176771e-02,5.12374681158842918207e+02);
INSERT INTO "training" VALUES(2,10,5.0,3.74059714376926422119e-02,100.0,9.09090909090909116141e-02,2.33279202838308037833e+03);
INSERT INTO "training" VALUES(2,11,5.5,9.41477864980697631835e-02,100.0,0.1,3.9458610112876777976e+02);
INSERT INTO "training" VALUES(2,12,6.0,2.91739497333765029907e-02,100.0,0.1,1.00078311278575495175e+03);
INSERT INTO "training" VALUES(2,13,6.5,1.31448768079280853271e-02,100.0,9.99936423283005193507e-02,5.1802587591052758854e+02);
INSERT INTO "training" VALUES(2,14,7.0,7.80469644814729690551e-03,100.0,9.99745709300016438536e-02,2.36332451222459167194e+03);
INSERT INTO "training" VALUES(2,15,7.5,9.04084928333759307861e-03,100.0,9.99427906550909295191e-02,5.14439777975508491167e+02);
INSERT INTO "training" VALUES(2,16,8.0,6.76188385114073753356e-03,100.0,9.98983095855105751592e-02,2.35660639253050067064e+03);
INSERT INTO "training" VALUES(2,17,8.5,6.71258708462119102478e-03,100.0,9.98411390331020581756e-02,5.23482132475136722853e+02);
INSERT INTO "training" VALUES(2,18,9.0,5.10679231956601142883e-03,100.0,0.0997712935367295,2.06718453084471866535e+03);
INSERT INTO "training" VALUES(2,19,9.5,3.25340800918638706207e-03,100.0,9.9688790858582343457e-02,4.35965520576891378806e+02);
INSERT INTO "training" VALUES(2,20,10.0,6.13708654418587684631e-03,100.0,9.9593651979658248674e-02,2.15514570670729835918e+03);
INSERT INTO "training" VALUES(2,21,10.5,8.6583653464913368225e-03,100.0,9.94859010944275368171e-02,5.06567617500416815783e+02);
INSERT INTO "training" VALUES(2,22,11.0,1.00195771083235740661e-02,100.0,9.93655656046803642533e-02,9.80658593149633929855e+02);
INSERT INTO "training" VALUES(2,23,11.5,2.36035045236349105834e-03,100.0,9.9232676112558246273e-02,5.11019366100917125103e+02);
INSERT INTO "training" VALUES(2,24,12.0,1.51195656508207321166e-03,100.0,9.90872664127716712423e-02,2.29812085530312924666e+03);
INSERT INTO "training" VALUES(2,25,12.5,6.507266312837600708e-03,100.0,0.098929373484006,3.93430129931775809373e+02);
INSERT INTO "training" VALUES(2,26,13.0,1.97344161570072174072e-02,100.0,9.8759037479517419733e-02,2.39404982855610660411e+03);
INSERT INTO "training" VALUES(2,27,13.5,0.00183196272701025,100.0,9.85763017169217353741e-02,3.99026952824190573199e+02);
INSERT INTO "training" VALUES(2,28,14.0,1.83545786421746015548e-03,100.0,9.83812126671783915288e-02,2305.48214836354);
INSERT INTO "training" VALUES(2,29,14.5,4.10945480689406394958e-03,100.0,0.0981738199427726,4.00991210172425212483e+02);
INSERT INTO "training" VALUES(2,30,15.0,2.80690472573041915893e-03,100.0,9.79541762850985736621e-02,2.16024013229310594399e+03);
INSERT INTO "training" VALUES(2,31,15.5,2.36478727310895919799e-03,100.0,9.77223375510469366433e-02,3.9748602016824190742e+02);
INSERT INTO "training" VALUES(2,32,16.0,1.55685504432767629623e-03,100.0,9.74783626988000445612e-02,2378.20046327345);
INSERT INTO "training" VALUES(2,33,16.5,1.58696004655212163925e-03,100.0,9.72223137728384090294e-02,3.9519919916834282958e+02);
INSERT INTO "training" VALUES(2,34,17.0,1.19802844710648059844e-03,100.0,9.69542558881624771949e-02,1.00262600282966127447e+03);
INSERT INTO "training" VALUES(2,35,17.5,3.04621690884232521057e-03,100.0,9.66742572137333222581e-02,5.08372998606994485736e+02);
INSERT INTO "training" VALUES(2,36,18.0,2.27923365309834480285e-03,100.0,9.63823889551368717665e-02,9.04272268241517167535e+02);
INSERT INTO "training" VALUES(2,37,18.5,1.26202066894620656967e-03,100.0,9.60787253364758370155e-02,4.75977901060020599285e+02);
INSERT INTO "training" VALUES(2,38,19.0,6.41099526546895503997e-04,100.0,9.57633435814939926178e-02,2.24173465427547853319e+03);
INSERT INTO "training" VALUES(2,39,19.5,4.99553570989519357681e-04,100.0,9.54363238939376773428e-02,5.17641714934060587433e+02);
INSERT INTO "training" VALUES(2,40,20.0,6.47317850962281227111e-04,100.0,9.50977494371593873312e-02,2.31105199953663395713e+03);
INSERT INTO "training" VALUES(2,41,20.5,1.0484391823410987854e-02,100.0,0.0947477063129688,3.95726529422440592032e+02);
INSERT INTO "training" VALUES(2,42,21.0,2.8824338223785161972e-03,100.0,9.43862835397365346201e-02,2.34938255289781636756e+03);
INSERT INTO "training" VALUES(2,43,21.5,0.000683635997120291,100.0,9.4013573029755992394e-02,4.00425732638941724418e+02);
INSERT INTO "training" VALUES(2,44,22.0,4.84799442347139120101e-04,100.0,0.0936296695658697,2.22420361694431676377e+03);
INSERT INTO "training" VALUES(2,45,22.5,0.000791145081166178,100.0,9.32346707773651223183e-02,5.16058781675526802258e+02);
INSERT INTO "training" VALUES(2,46,23.0,4.91951766889542341232e-04,100.0,9.28286771151470291307e-02,9.76064697472407260658e+02);
INSERT INTO "training" VALUES(2,47,23.5,8.82590946275740861892e-04,100.0,9.24117918261920662237e-02,516.90863051972);
INSERT INTO "training" VALUES(2,48,24.0,6.23325700871646404266e-04,100.0,0.0919841209272924,2.45475126312294651144e+03);
INSERT INTO "training" VALUES(2,49,24.5,7.59375863708555698394e-04,100.0,9.15457731780948275046e-02,5.27115583335425299084e+02);
INSERT INTO "training" VALUES(2,50,25.0,4.41548123490065336227e-04,100.0,9.10968600534425854142e-02,2.17880707044682458213e+03);
INSERT INTO "training" VALUES(2,51,25.5,4.77778201457113027572e-04,100.0,9.06374957150263282912e-02,5.15833376534378544413e+02);
INSERT INTO "training" VALUES(2,52,26.0,7.00186472386121749877e-04,100.0,9.01677969823522773573e-02,2.57540794461842779137e+03);
INSERT INTO "training" VALUES(2,53,26.5,7.32273270841687917709e-04,100.0,0.089687883303034,5.18774884577451643984e+02);
INSERT INTO "training" VALUES(2,54,27.0,3.00259533105418086051e-04,100.0,8.91978767224161916971e-02,2.47068684476612770604e+03);
INSERT INTO "training" VALUES(2,55,27.5,1.89209403470158576965e-03,100.0,8.8697901852537661127e-02,5.08901643943148087592e+02);
INSERT INTO "training" VALUES(2,56,28.0,1.01745896972715854644e-03,100.0,8.81880858404416323459e-02,2.19659407106311300593e+03);
INSERT INTO "training" VALUES(2,57,28.5,1.50232386658899486064e-04,100.0,0.0876685583358414,3.99831930647952162862e+02);
INSERT INTO "training" VALUES(2,58,29.0,8.57275095768272876739e-04,100.0,8.71394514581494694649e-02,9.80369810197953825067e+02);
INSERT INTO "training" VALUES(2,59,29.5,6.47526234388351440429e-03,100.0,8.66008997628787552391e-02,5.03148514724452638807e+02);
INSERT INTO "training" VALUES(2,60,30.0,1.92636798601597547531e-03,100.0,0.0860530402074241,2.43725069591123792624e+03);
INSERT INTO "training" VALUES(2,61,30.5,0.000872768578119576,100.0,8.54960121162331582178e-02,5.05567211337395292511e+02);
INSERT INTO "training" VALUES(2,62,31.0,2.76411883533000946044e-04,100.0,8.49299571453751844796e-02,2.42536397133947411938e+03);
INSERT INTO "training" VALUES(2,63,31.5,3.36036144290119409561e-04,100.0,8.43550192465169074163e-02,2.23288237482670774616e+03);
INSERT INTO "training" VALUES(2,64,32.0,6.61454221699386835098e-04,100.0,8.37713446303146869187e-02,4.41207987761772869829e+02);
INSERT INTO "training" VALUES(2,65,32.5,7.42351869121193885803e-04,100.0,8.31790817292320516784e-02,3.93805265954171204619e+02);
INSERT INTO "training" VALUES(2,66,33.0,4.09556174417957663536e-04,100.0,8.25783811597924355396e-02,2.19775932941967357689e+03);
INSERT INTO "training" VALUES(2,67,33.5,5.78046543523669242858e-04,100.0,8.1969395684276247227e-02,512.590996915804);
INSERT INTO "training" VALUES(2,68,34.0,4.88334335386753082275e-04,100.0,8.13522801718723764796e-02,2.36129460337924865589e+03);
INSERT INTO "training" VALUES(2,69,34.5,5.56805506348609924316e-02,100.0,8.07271915592939898198e-02,516.633599963629);
INSERT INTO "training" VALUES(2,70,35.0,9.19578876346349716186e-03,100.0,8.00942888108683581638e-02,1.00817808861028436234e+03);
INSERT INTO "training" VALUES(2,71,35.5,3.59789468348026275634e-04,100.0,7.94537328781111523712e-02,3.95152564700675611678e+02);
INSERT INTO "training" VALUES(2,72,36.0,6.08395785093307495117e-04,100.0,7.88056866587954207847e-02,2.35686257988659372125e+03);
INSERT INTO "training" VALUES(2,73,36.5,7.0341135142371058464e-04,100.0,7.81503149555254905678e-02,5.12814299878033466465e+02);
INSERT INTO "training" VALUES(2,74,37.0,2.05004762392491102218e-04,100.0,7.74877844338265897583e-02,2.38265853465308782691e+03);
INSERT INTO "training" VALUES(2,75,37.5,2.09293887019157409667e-03,100.0,7.68182635797606122585e-02,4.0347110223967820276e+02);
INSERT INTO "training" VALUES(2,76,38.0,2.13412218727171421051e-03,100.0,7.61419226570790447228e-02,9.69228215687201100081e+02);
INSERT INTO "training" VALUES(2,77,38.5,7.54841777961701154708e-04,100.0,7.54589336639235885861e-02,514.874300197332);
INSERT INTO "training" VALUES(2,78,39.0,1.64576689712703227996e-04,100.0,7.47694702890859402844e-02,2.22664458577452433027e+03);
INSERT INTO "training" VALUES(2,79,39.5,0.000632554991170764,100.0,7.40737078678375682194e-02,5.08509654818561216424e+02);
INSERT INTO "training" VALUES(2,80,40.0,2.16848275158554315567e-04,100.0,0.0733718233373407,2.1685676420974277789e+03);
INSERT INTO "training" VALUES(2,81,40.5,1.63947755936533212661e-04,100.0,7.26639951916519255536e-02,5.07629255257754152808e+02);
INSERT INTO "training" VALUES(2,82,41.0,0.0011221868917346,100.0,7.19504034363300654097e-02,1.00112250861278209864e+03);
INSERT INTO "training" VALUES(2,83,41.5,6.90272776409983634948e-04,100.0,7.12312295426594105363e-02,5.1260351066766349959e+02);
INSERT INTO "training" VALUES(2,84,42.0,3.57403419911861419677e-04,100.0,7.05066564015004448862e-02,2.09746115436396439696e+03);
INSERT INTO "training" VALUES(2,85,42.5,1.37697468744590878486e-04,100.0,6.97768682767792580712e-02,5.11756354846482963694e+02);
INSERT INTO "training" VALUES(2,86,43.0,0.000629016081802547,100.0,6.90420507586281678724e-02,2.19276426167023419117e+03);
INSERT INTO "training" VALUES(2,87,43.5,3.88604938052594661712e-04,100.0,6.8302390716188737807e-02,400.067831500831);
INSERT INTO "training" VALUES(2,88,44.0,6.16731413174420595169e-04,100.0,6.75580762500897352706e-02,2.27073135147685525219e+03);
INSERT INTO "training" VALUES(2,89,44.5,3.10666713630780577659e-04,100.0,6.68092966446118402545e-02,510.197151020844);
INSERT INTO "training" VALUES(2,90,45.0,4.69742808490991592407e-03,100.0,0.0660562423195513,999.537214269793);
INSERT INTO "training" VALUES(2,91,45.5,2.82479822635650634765e-03,100.0,6.52991047817949865628e-02,5.03436869111007865738e+02);
INSERT INTO "training" VALUES(2,92,46.0,3.61241342034190893173e-04,100.0,0.0645380765766187,2.4396878663343809421e+03);
INSERT INTO "training" VALUES(2,93,46.5,5.03770192153751850128e-04,100.0,6.37733512387217704731e-02,5.13312601920623251322e+02);
INSERT INTO "training" VALUES(2,94,47.0,2.14701006188988685607e-03,100.0,6.30051232430097474246e-02,2.44721584841455614875e+03);
INSERT INTO "training" VALUES(2,95,47.5,2.31689005158841609954e-03,100.0,6.2233587955138114367e-02,1.8519375897032268767e+03);
INSERT INTO "training" VALUES(2,96,48.0,6.90280983690172433853e-04,100.0,6.14589415818294418358e-02,3.83666345330116371325e+02);
INSERT INTO "training" VALUES(2,97,48.5,6.18955586105585098266e-04,100.0,6.06813811209767420273e-02,3.85553019901861318882e+02);
INSERT INTO "training" VALUES(2,98,49.0,1.66556274052709341049e-04,100.0,5.99011043115454874796e-02,1.08413027071952501503e+03);
INSERT INTO "training" VALUES(2,99,49.5,0.000600398110691458,100.0,5.91183095832872040897e-02,4.04602413139827490331e+02);
INSERT INTO "training" VALUES(2,100,50.0,2.36005842452868819236e-04,100.0,5.83331960062775378705e-02,9.78168980158575891454e+02);
INSERT INTO "training" VALUES(2,101,50.5,4.8323831288143992424e-04,100.0,5.75459632402912438231e-02,3.71124526334926770239e+02);
INSERT INTO "training" VALUES(2,102,51.0,1.59183837240561842918e-04,100.0,5.67568114840274265398e-02,9.80427120624032113517e+02);
INSERT INTO "training" VALUES(2,103,51.5,2.38313587033189833164e-04,100.0,5.59659414241975849968e-02,6.9407276606824007104e+02);
INSERT INTO "training" VALUES(2,104,52.0,4.94698586408048868179e-04,100.0,5.51735541844896038021e-02,9.88273639134845552703e+02);
INSERT INTO "training" VALUES(2,105,52.5,3.41487437253817915916e-04,100.0,5.43798512744206458124e-02,1.83449544415668583489e+02);
INSERT INTO "training" VALUES(2,106,53.0,2.55121081136167049407e-03,100.0,5.35850345380918802185e-02,6.05499647334299083943e+02);
INSERT INTO "training" VALUES(2,107,53.5,4.50484541943296790122e-04,100.0,5.2789306102858125913e-02,3.17524250716195808761e+02);
INSERT INTO "training" VALUES(2,108,54.0,2.99477251246571540832e-04,100.0,5.19928683279255246518e-02,8.86745624713955180561e+02);
INSERT INTO "training" VALUES(2,109,54.5,5.36156585440039634704e-04,100.0,5.11959237528901503488e-02,3.77427655964312293692e+02);
INSERT INTO "training" VALUES(2,110,55.0,2.33552345889620482921e-04,100.0,5.03986750462308355502e-02,9.54586957382942614437e+02);
INSERT INTO "training" VALUES(2,111,55.5,2.90605792542919516563e-04,100.0,4.96013249537691838786e-02,3.79960503105702173342e+02);
INSERT INTO "training" VALUES(2,112,56.0,4.20930853579193353652e-04,100.0,4.88040762471098621411e-02,9.42153983056067204429e+02);
INSERT INTO "training" VALUES(2,113,56.5,8.80863517522811889648e-04,100.0,4.80071316720744878381e-02,4.73321695930569433111e+02);
INSERT INTO "training" VALUES(2,114,57.0,1.84457947034388780593e-03,100.0,4.7210693897141879638e-02,634.524258695223);
INSERT INTO "training" VALUES(2,115,57.5,7.4054358992725610733e-04,100.0,4.64149654619081253326e-02,3.16673321424569223828e+02);
CREATE INDEX architectures_by_hash ON architectures (space_hash, hash);
CREATE INDEX measurements_good ON measurements (job, metric, architecture, id, status, value)
  WHERE status = 'ok' AND value IS NOT NULL;
CREATE INDEX measurements_by_architecture ON measurements (architecture, metric);
CREATE INDEX measurements_by_job ON measurements (job, architecture);
CREATE INDEX predictions_by_architecture ON predictions (architecture);
CREATE INDEX evaluations_by_architecture ON evaluations (architecture);
CREATE INDEX generation_front_by_architecture ON generation_front (architecture);
CREATE VIEW latest AS
SELECT m.job AS job, m.architecture AS architecture, m.metric AS metric, m.value AS value,
       m.id AS measurement
FROM measurements m
WHERE m.status = 'ok' AND m.value IS NOT NULL
  AND m.id = (SELECT max(n.id) FROM measurements n
              WHERE n.job = m.job AND n.metric = m.metric AND n.architecture = m.architecture
                AND n.status = 'ok' AND n.value IS NOT NULL);
CREATE VIEW latest_predictions AS
SELECT p.job AS job, p.architecture AS architecture, p.metric AS metric, p.mean AS mean,
       p.deviation AS deviation, p.predictor AS predictor
FROM predictions p
WHERE p.id = (SELECT max(q.id) FROM predictions q
              WHERE q.job = p.job AND q.architecture = p.architecture AND q.metric = p.metric);
CREATE VIEW results AS
SELECT j.name AS job, e.number AS evaluation, a.arch AS arch, a.hash AS hash,
       (SELECT value FROM latest l WHERE l.job = n.job AND l.architecture = n.architecture
           AND l.metric = 'params') AS params,
       (SELECT value FROM latest l WHERE l.job = n.job AND l.architecture = n.architecture
           AND l.metric = 'flops') AS flops,
       (SELECT value FROM latest l WHERE l.job = n.job AND l.architecture = n.architecture
           AND l.metric = 'accuracy') AS accuracy,
       (SELECT mean FROM latest_predictions p WHERE p.job = n.job
           AND p.architecture = n.architecture AND p.metric = 'accuracy') AS predicted_accuracy,
       (SELECT value FROM latest l WHERE l.job = n.job AND l.architecture = n.architecture
           AND l.metric = 'latency_ms') AS latency_ms,
       (SELECT mean FROM latest_predictions p WHERE p.job = n.job
           AND p.architecture = n.architecture AND p.metric = 'latency_ms')
           AS predicted_latency_ms,
       (SELECT deviation FROM latest_predictions p WHERE p.job = n.job
           AND p.architecture = n.architecture AND p.metric = 'latency_ms')
           AS predicted_latency_deviation_ms,
       n.architecture AS architecture
FROM (SELECT job, architecture FROM measurements
      UNION SELECT job, architecture FROM evaluations
      UNION SELECT job, architecture FROM predictions) n
JOIN jobs j ON j.id = n.job
JOIN architectures a ON a.id = n.architecture
LEFT JOIN evaluations e ON e.job = n.job AND e.architecture = n.architecture;
CREATE VIEW scores AS
SELECT o.job AS job, l.architecture AS architecture, o.position AS position, o.metric AS metric,
       o.goal AS goal, l.value AS value,
       CASE o.goal WHEN 'max' THEN -l.value ELSE l.value END AS cost
FROM objectives o CROSS JOIN latest l ON l.job = o.job AND l.metric = o.metric;
CREATE VIEW measurement_log AS
SELECT m.id AS id, m.created AS created, j.name AS job, a.arch AS arch, a.hash AS hash,
       m.metric AS metric, m.value AS value, m.unit AS unit, m.standard_error AS standard_error,
       m.fidelity AS fidelity, m.device AS device, m.seed AS seed, m.seconds AS seconds,
       m.status AS status, m.message AS message
FROM measurements m
JOIN jobs j ON j.id = m.job
JOIN architectures a ON a.id = m.architecture
ORDER BY m.id;
CREATE VIEW history AS
SELECT j.name AS job, g.number AS generation, g.evaluations AS evaluations,
       g.hypervolume AS hypervolume,
       (SELECT count(*) FROM generation_front f WHERE f.job = g.job AND f.generation = g.number)
         AS front_size,
       g.created AS created
FROM generations g
JOIN jobs j ON j.id = g.job
ORDER BY g.job, g.number;
CREATE INDEX members_by_architecture ON members (architecture);
CREATE VIEW front AS
WITH wanted AS (SELECT job, count(*) AS objectives FROM objectives GROUP BY job),
pivoted AS (
  SELECT s.job AS job, s.architecture AS architecture,
         coalesce(e.number, 9223372036854775807) AS found, w.objectives AS objectives,
         max(CASE s.position WHEN 0 THEN s.cost END) AS c0,
         coalesce(max(CASE s.position WHEN 1 THEN s.cost END), 0) AS c1,
         coalesce(max(CASE s.position WHEN 2 THEN s.cost END), 0) AS c2,
         coalesce(max(CASE s.position WHEN 3 THEN s.cost END), 0) AS c3
  FROM scores s
  JOIN wanted w ON w.job = s.job
  LEFT JOIN evaluations e ON e.job = s.job AND e.architecture = s.architecture
  GROUP BY s.job, s.architecture
  HAVING count(*) = w.objectives
     AND NOT EXISTS (
           SELECT 1 FROM constraints k
           WHERE k.job = s.job AND NOT EXISTS (
             SELECT 1 FROM latest l
             WHERE l.job = k.job AND l.architecture = s.architecture AND l.metric = k.metric
               AND CASE k.relation WHEN '<=' THEN l.value <= k.bound ELSE l.value >= k.bound END))
),
ranked AS (
  SELECT *, rank() OVER (PARTITION BY job ORDER BY c0) + rank() OVER (PARTITION BY job ORDER BY c1)
          + rank() OVER (PARTITION BY job ORDER BY c2) + rank() OVER (PARTITION BY job ORDER BY c3)
          AS quality
  FROM pivoted
),
candidates AS (SELECT * FROM ranked ORDER BY job, quality LIMIT -1)
SELECT j.name AS job, e.number AS evaluation, r.arch AS arch, r.hash AS hash,
       (SELECT group_concat(s.metric || '=' || s.value, ', ') FROM scores s
        WHERE s.job = c.job AND s.architecture = c.architecture) AS objectives,
       (SELECT value FROM latest l WHERE l.job = c.job AND l.architecture = c.architecture
           AND l.metric = 'params') AS params,
       (SELECT value FROM latest l WHERE l.job = c.job AND l.architecture = c.architecture
           AND l.metric = 'flops') AS flops,
       (SELECT value FROM latest l WHERE l.job = c.job AND l.architecture = c.architecture
           AND l.metric = 'accuracy') AS accuracy,
       (SELECT value FROM latest l WHERE l.job = c.job AND l.architecture = c.architecture
           AND l.metric = 'latency_ms') AS latency_ms,
       (SELECT mean FROM latest_predictions p WHERE p.job = c.job
           AND p.architecture = c.architecture AND p.metric = 'latency_ms')
           AS predicted_latency_ms,
       c.architecture AS architecture
FROM candidates c
JOIN jobs j ON j.id = c.job
JOIN architectures r ON r.id = c.architecture
LEFT JOIN evaluations e ON e.job = c.job AND e.architecture = c.architecture
WHERE NOT EXISTS (
  SELECT 1 FROM candidates b
  WHERE b.job = c.job AND b.c0 <= c.c0 AND b.c1 <= c.c1 AND b.c2 <= c.c2 AND b.c3 <= c.c3
    AND (c.objectives <= 4 OR NOT EXISTS (
           SELECT 1 FROM scores x
           JOIN scores y ON y.job = x.job AND y.position = x.position
           WHERE x.job = c.job AND x.architecture = b.architecture AND y.architecture = c.architecture
             AND x.position >= 4 AND x.cost > y.cost))
    AND (b.c0 < c.c0 OR b.c1 < c.c1 OR b.c2 < c.c2 OR b.c3 < c.c3
         OR (c.objectives > 4 AND EXISTS (
               SELECT 1 FROM scores x
               JOIN scores y ON y.job = x.job AND y.position = x.position
               WHERE x.job = c.job AND x.architecture = b.architecture
                 AND y.architecture = c.architecture AND x.position >= 4 AND x.cost < y.cost))
         OR b.found < c.found
         OR (b.found = c.found AND b.architecture < c.architecture)));
CREATE VIEW provenance AS
SELECT j.name AS job, a.arch AS arch, a.hash AS hash, m.metric AS metric, m.value AS value,
       m.standard_error AS standard_error, NULL AS predicted, NULL AS deviation, m.unit AS unit,
       m.fidelity AS fidelity, NULL AS predictor, m.status AS status, m.message AS message,
       m.seed AS seed, m.device AS device, m.created AS created, m.id AS measurement,
       m.session AS session, coalesce(s.version, j.version) AS version,
       coalesce(s.revision, j.revision) AS revision,
       coalesce(s.libraries, j.libraries) AS libraries,
       coalesce(s.threads, j.threads) AS threads,
       coalesce(s.data_checksum, j.data_checksum) AS data_checksum,
       j.config_hash AS config_hash, j.seed AS job_seed, j.space AS space, j.task AS task
FROM measurements m
JOIN jobs j ON j.id = m.job
JOIN architectures a ON a.id = m.architecture
LEFT JOIN sessions s ON s.id = m.session
UNION ALL
SELECT j.name, a.arch, a.hash, p.metric, NULL, NULL, p.mean, p.deviation, NULL, NULL, p.predictor,
       NULL, NULL, NULL, NULL, p.created, NULL, p.session, coalesce(s.version, j.version),
       coalesce(s.revision, j.revision), coalesce(s.libraries, j.libraries),
       coalesce(s.threads, j.threads), coalesce(s.data_checksum, j.data_checksum),
       j.config_hash, j.seed, j.space, j.task
FROM predictions p
JOIN jobs j ON j.id = p.job
JOIN architectures a ON a.id = p.architecture
LEFT JOIN sessions s ON s.id = p.session;
CREATE INDEX measurements_failed ON measurements (job, metric, architecture)
  WHERE status = 'failed';
CREATE INDEX measurements_noted ON measurements (job, metric, architecture)
  WHERE status = 'ok' AND message <> '';
COMMIT;
